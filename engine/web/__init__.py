"""DOOR: the pages the customers see, and the door the providers tell their news at."""
