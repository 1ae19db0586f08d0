"""Output of a command: progress, result, errors."""
