"""Durable fan-out/fan-in for Python on Restate."""

from parallelizework.errors import ParallelizeworkError
from parallelizework.fan_out import FanOut
from parallelizework.policy import Policy

__all__ = ["FanOut", "ParallelizeworkError", "Policy"]
