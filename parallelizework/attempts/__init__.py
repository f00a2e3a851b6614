"""Attempts at a user's function: their schedule, and their records in the journal."""
