"""Doubles of mail providers: real servers on loopback with durable books of what they accepted."""
