"""Rows: files read block by block, checked against the contract, and turned into what a model takes."""
