"""Watching: what outcomes and newer rows say of the release that answers."""
