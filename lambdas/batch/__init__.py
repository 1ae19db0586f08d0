"""The functions of the batch flow."""
