"""The HTTP server that `serve` runs."""
