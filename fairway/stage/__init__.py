"""Access to one stage: its AWS clients, its records, its running flows."""
