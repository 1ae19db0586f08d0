"""What was tried: training runs with their data, code, parameters and metrics, and what became of them."""
