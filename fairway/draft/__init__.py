"""How a project is drafted from a table: survey its columns, decide what each is, write it as TOML."""
