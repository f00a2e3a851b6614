"""Poison: bad values and errors, and where in a run they arise."""
