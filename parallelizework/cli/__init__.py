"""The command line: each command parses, calls one function and prints."""

from parallelizework.cli import running, runs, serving
from parallelizework.cli.app import main

__all__ = ["main", "running", "runs", "serving"]
