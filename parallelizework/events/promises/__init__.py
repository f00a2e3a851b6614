"""Promises: values that one process waits for, and another process decides."""
