"""`FanOutRedrive`: what a run with failures keeps, so that it can be redriven."""
