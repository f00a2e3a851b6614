"""Coordinators: from `run` down to the calls of subtasks, and back with outcomes."""
