"""The API that applications call, and the capture of its answers."""
