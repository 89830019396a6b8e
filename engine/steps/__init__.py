"""THE WAY OF A MESSAGE: one file per step of its life."""
