"""Migration steps, in order of their number."""
