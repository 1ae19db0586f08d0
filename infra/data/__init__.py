"""Stores that must survive: the lake, the tables, the registry, the alarms topic, the address book."""
