"""The parts of the reference pages that are written from the code."""
