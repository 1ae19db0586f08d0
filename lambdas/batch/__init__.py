"""Functions of the batch flow."""
