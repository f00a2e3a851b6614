"""A restate-server and a worker on this machine."""
