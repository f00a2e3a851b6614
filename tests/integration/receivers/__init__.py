"""Receivers of notifications, which misbehave as a test says."""
