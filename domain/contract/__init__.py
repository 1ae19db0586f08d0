"""The contract: what a row must be, and where each column comes from."""
