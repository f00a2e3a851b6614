"""Joins: events that belong together become the task of one run."""
