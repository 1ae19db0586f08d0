"""What happens at an event: one file is one function, and the few modules that they share."""
