"""config.toml: its tables, the environment's overrides, and one frozen Config for the rest of the program."""
