"""FORESIGHT: what would happen and why, by the code that makes it happen; nothing here is kept."""
