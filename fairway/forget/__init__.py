"""Removal of an entity's data: one module for each kind of place, and places.py, which lists them."""
