"""RULES: the standard library only; no I/O, no clock, no SQL."""
