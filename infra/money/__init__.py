"""The budget, the office hours, and the removal of what nobody needs."""
