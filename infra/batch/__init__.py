"""From files to stored predictions."""
