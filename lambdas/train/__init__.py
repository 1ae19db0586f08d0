"""Functions of the training flow."""
