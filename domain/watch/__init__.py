"""Watching: drift, decline, and the champion's quality by outcomes."""
