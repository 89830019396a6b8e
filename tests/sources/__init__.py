"""Files as people have them, and what is made of them."""
