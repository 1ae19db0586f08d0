"""The report: gather its data, draw its charts, and write one page."""
