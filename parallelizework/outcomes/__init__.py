"""Outcomes: how subtasks end, and how many of each. Pure."""

from parallelizework.outcomes.attempt import Attempt
from parallelizework.outcomes.counts import CompletionReason, Counts
from parallelizework.outcomes.done import Done, is_known, known_values
from parallelizework.outcomes.failure import (
    TIMED_OUT,
    Failure,
    Fault,
    Status,
    in_order,
)
from parallelizework.outcomes.waiting import Event, Reminder, Waiting

__all__ = [
    "TIMED_OUT",
    "Attempt",
    "CompletionReason",
    "Counts",
    "Done",
    "Event",
    "Failure",
    "Fault",
    "Reminder",
    "Status",
    "Waiting",
    "in_order",
    "is_known",
    "known_values",
]
