"""Priced resources: one module for each kind, from a resource in a template to its cost lines."""
