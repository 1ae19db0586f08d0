"""A request: from a score, or from no model, to the answer, and what the answer was worth."""
