"""Experiment tracking: training runs with their data, code, parameters, metrics and results."""
