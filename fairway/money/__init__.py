"""The bill: projection, measured usage, price list, comparison of hosting."""
