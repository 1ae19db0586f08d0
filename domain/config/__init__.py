"""Read fairway.toml: its settings and their limits, with every mistake reported at once."""
