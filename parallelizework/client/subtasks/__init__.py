"""The subtasks of a run: those that are listed, stalled, kept or completed."""
