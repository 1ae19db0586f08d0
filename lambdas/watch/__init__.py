"""The functions of the watch flow."""
