"""campaigns/*.toml: the campaign language, and one frozen Campaign per file for the rest of the program."""
