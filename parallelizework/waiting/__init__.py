"""Subtasks that wait for an answer from outside, and the keys of these answers."""
