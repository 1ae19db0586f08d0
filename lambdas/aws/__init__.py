"""Lean AWS access that the functions share: signed requests, kept connections, tables, objects."""
