"""A batch: where an interrupted one goes on."""
