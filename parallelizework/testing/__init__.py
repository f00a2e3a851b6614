"""Tests of a fan-out: in memory (`run_inline`), or on a server (`testing.plugin`)."""

from parallelizework.testing.inline import InlineCall, InlineRun, run_inline
from parallelizework.testing.server import ReplayMismatch
from parallelizework.testing.workers import Serve

__all__ = ["InlineCall", "InlineRun", "ReplayMismatch", "Serve", "run_inline"]
