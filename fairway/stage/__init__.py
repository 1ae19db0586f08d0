"""Access to one stage: its AWS clients, its records, its flows under way."""
