"""Requests: the answer made of a score or of the prior, and what it was worth."""
