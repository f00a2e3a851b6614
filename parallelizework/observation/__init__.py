"""Observation: who observes what a worker executes, such as metrics and traces."""
