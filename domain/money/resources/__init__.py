"""The priced resources: one module for each kind, from a template's resource to its cost lines."""
