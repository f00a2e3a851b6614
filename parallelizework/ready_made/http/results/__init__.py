"""The result of a run of HttpFanOut: its lines, in the answer or in a file."""
