"""Step 1: what the shop knows comes in from its files, checked row by row; one file per kind of row."""
