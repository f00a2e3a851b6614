"""The commands of `parallelizework schedule`."""
