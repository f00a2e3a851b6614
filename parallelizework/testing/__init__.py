"""Tests of a fan-out: in memory (`run_inline`), or on a server (`testing.plugin`)."""

from parallelizework.errors import extras_named

with extras_named():
    from parallelizework.testing.inline import InlineCall, InlineRun, run_inline
    from parallelizework.testing.server import ReplayMismatch
    from parallelizework.testing.workers import Serve

__all__ = ["InlineCall", "InlineRun", "ReplayMismatch", "Serve", "run_inline"]
