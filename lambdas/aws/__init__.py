"""Lean AWS access shared by the functions: signed requests, kept connections, tables, objects."""
