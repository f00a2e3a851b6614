"""From `run` down to the calls of subtasks, and back up with their outcomes."""
