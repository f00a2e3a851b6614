"""Durable fan-out/fan-in for Python on Restate."""

from parallelizework.attempts import Attempt, Postponed
from parallelizework.errors import ParallelizeworkError
from parallelizework.executor import Executor
from parallelizework.fan_out import FanOut, services
from parallelizework.outcome import Done, Failure
from parallelizework.policy import Policy
from parallelizework.rule import CompletionReason

__all__ = [
    "Attempt",
    "CompletionReason",
    "Done",
    "Executor",
    "Failure",
    "FanOut",
    "ParallelizeworkError",
    "Policy",
    "Postponed",
    "services",
]
