"""Changes that a source makes to a column, and what each would cost."""
