"""Batches: the head of a CSV file, and where an interrupted batch continues."""
