"""From a body of rows to the body of the reply."""
