"""Functions behind the API, and the modules that only they share."""
