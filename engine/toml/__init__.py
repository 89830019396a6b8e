"""Reads TOML with the place of everything in it, and says what is wrong at file:line:column."""
