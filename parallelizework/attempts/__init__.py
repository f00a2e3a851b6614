"""Attempts at a user's function: the schedule, and how each is kept in the journal."""
