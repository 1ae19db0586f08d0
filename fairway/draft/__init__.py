"""Draft a project from a table: survey its columns, decide what each is, write the result as TOML."""
