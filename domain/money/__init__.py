"""What the system costs: list prices times usage, before anything is deployed. No price is written in code."""
