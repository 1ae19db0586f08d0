"""Functions for the budget, the office hours and forgotten resources."""
