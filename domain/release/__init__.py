"""A release: the gate it passes, the signature it carries, the routing it answers by."""
