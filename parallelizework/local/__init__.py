"""A restate-server on this machine."""
