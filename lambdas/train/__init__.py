"""The functions of the training flow."""
