"""A project's history replayed day by day, by the code that runs in production and with a clock of its own."""
