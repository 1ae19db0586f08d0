"""Monthly cost, from list prices and usage, before anything is deployed. No price is written in code."""
