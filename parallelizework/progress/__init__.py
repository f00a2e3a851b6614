"""`FanOutProgress`: the progress of each run."""
