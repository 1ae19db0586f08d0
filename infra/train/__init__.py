"""Training: from a window of the lake to a verdict in the registry."""
