"""fairway.toml: its settings, their limits, and every mistake reported at once."""
