"""Limits of `predict`, which decide whether it can hold a release's model and answer with it itself."""

PREDICT_MB = 512  # of memory
MOST_CARRIED_MB = 64  # of an artefact
