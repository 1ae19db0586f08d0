"""Training: the window of event time that a run learns from and is judged on."""
