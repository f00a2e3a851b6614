"""Ready-made fan-outs."""
