"""A run: its story from the task to the result, also if it is held or redriven."""
