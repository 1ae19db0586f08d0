"""The budget, the office hours, and the removal of forgotten resources."""
