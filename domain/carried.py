"""What predict has, and so what it can carry, where it answers with a release's model itself."""

PREDICT_MB = 512  # of memory
MOST_CARRIED_MB = 64  # of an artefact
