"""The names and the attributes of spans, and of the events of batches. Pure."""

from collections.abc import Mapping

from parallelizework.headers import SubtaskId
from parallelizework.observation.observed import ObservedAttempt, ObservedBatch

Attributes = Mapping[str, str | int | float]

ATTEMPT_EVENT = "attempt"
"""The name of the event of an attempt in the span of a batch."""

_OURS = "parallelizework."


def span_name(attempt: ObservedAttempt) -> str:
    """The name of the span of an attempt: the function's role and the service."""
    return f"{attempt.role} {attempt.service}"


def batch_span_name(batch: ObservedBatch) -> str:
    """The name of the span of a batch."""
    return f"execute batch {batch.service}"


def of_attempt(attempt: ObservedAttempt) -> dict[str, str | int | float]:
    """The attributes of an attempt at its start."""
    found = attempt.subtask_id()
    return {
        "restate.invocation.id": attempt.invocation,
        "code.function.name": attempt.function,
        f"{_OURS}fan_out": attempt.service,
        **({f"{_OURS}run": _id(attempt.run)} if attempt.run else {}),
        **(_of_index(found) if found else {}),
        f"{_OURS}attempt": attempt.number,
    }


def of_end(attempt: ObservedAttempt) -> dict[str, str | int | float]:
    """The attributes of an attempt at its end."""
    error = {} if attempt.error is None else {f"{_OURS}error": attempt.error}
    return {f"{_OURS}outcome": attempt.status, **error}


def of_event(attempt: ObservedAttempt) -> dict[str, str | int | float]:
    """The attributes of the event of an attempt of a batch."""
    found = attempt.subtask_id()
    return {
        **(_of_index(found) if found else {}),
        f"{_OURS}attempt": attempt.number,
        **of_end(attempt),
        f"{_OURS}seconds": attempt.seconds,
    }


def of_batch(batch: ObservedBatch) -> dict[str, str | int | float]:
    """The attributes of a batch."""
    return {
        f"{_OURS}fan_out": batch.service,
        f"{_OURS}run": _id(batch.run),
        f"{_OURS}subtasks": batch.subtasks,
        f"{_OURS}slots": batch.slots,
    }


def _of_index(subtask: SubtaskId) -> dict[str, str | int | float]:
    shard = {} if subtask.shard is None else {f"{_OURS}shard": subtask.shard}
    name = {} if subtask.name is None else {f"{_OURS}name": subtask.name}
    return {f"{_OURS}index": subtask.index, **shard, **name}


def _id(run: str) -> str:
    """The id of a run, without the labels that follow the id."""
    return run.partition(" ")[0]
