"""Removing an entity's data: a module for each kind of place, and places.py, which lists them."""
