"""The HTTP APIs of a restate-server: its ingress, its admin API and its SQL."""
