"""The report: gathered, drawn, and put on one page."""
