"""The functions that watch the budget, the office hours and forgotten resources."""
