"""`FanOutProgress`: how far each run has come."""
