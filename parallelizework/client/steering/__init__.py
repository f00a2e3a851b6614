"""Pause, resume, redrive and settle runs."""
