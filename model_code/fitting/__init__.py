"""Candidates and the metrics they are compared by."""
