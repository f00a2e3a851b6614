"""Durable fan-out/fan-in for Python on Restate."""

from parallelizework.attempts.attempt import Postponed
from parallelizework.errors import ParallelizeworkError
from parallelizework.executor import Executor
from parallelizework.fan_out import FanOut, services
from parallelizework.outcomes import Attempt, CompletionReason, Done, Failure
from parallelizework.policy import Policy
from parallelizework.serving.app import app

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
    "app",
    "services",
]
