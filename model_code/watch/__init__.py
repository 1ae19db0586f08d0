"""Watching by whole columns: the rules are in domain/watch."""
