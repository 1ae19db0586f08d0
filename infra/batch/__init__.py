"""Batch: from files to stored predictions."""
