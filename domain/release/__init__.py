"""Releases: the gate, the signature, the routing with its claims, and the rule of a rollout."""
