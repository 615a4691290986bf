"""What the user asks: one TOML file, one table per stage in the order of the line."""
