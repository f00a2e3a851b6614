"""The names and the attributes of spans, and of the events of batches. Pure."""

from parallelizework.headers import SubtaskId
from parallelizework.observation.observed import ObservedAttempt, ObservedBatch
from parallelizework.progress.labels import without_labels

Attributes = dict[str, str | int | float]

_OURS = "parallelizework."


def span_name(attempt: ObservedAttempt) -> str:
    """The name of the span of an attempt: the function's role and the service."""
    return f"{attempt.role} {attempt.service}"


def batch_span_name(batch: ObservedBatch) -> str:
    """The name of the span of a batch."""
    return f"execute batch {batch.service}"


def of_attempt(attempt: ObservedAttempt) -> Attributes:
    """The attributes of an attempt at its start."""
    found, run = attempt.subtask_id(), attempt.run
    return {
        "restate.invocation.id": attempt.invocation,
        "code.function.name": attempt.function,
        f"{_OURS}fan_out": attempt.service,
        **({f"{_OURS}run": without_labels(run)[0]} if run else {}),
        **(_of_index(found) if found else {}),
        f"{_OURS}attempt": attempt.number,
    }


def of_end(attempt: ObservedAttempt) -> Attributes:
    """The attributes of an attempt at its end."""
    error = {} if attempt.error is None else {f"{_OURS}error": attempt.error}
    return {f"{_OURS}outcome": attempt.status, **error}


def of_event(attempt: ObservedAttempt) -> Attributes:
    """The attributes of the event of an attempt of a batch."""
    found = attempt.subtask_id()
    return {
        **(_of_index(found) if found else {}),
        f"{_OURS}attempt": attempt.number,
        **of_end(attempt),
        f"{_OURS}seconds": attempt.seconds,
    }


def of_batch(batch: ObservedBatch) -> Attributes:
    """The attributes of a batch."""
    return {
        f"{_OURS}fan_out": batch.service,
        f"{_OURS}run": without_labels(batch.run)[0],
        f"{_OURS}subtasks": batch.subtasks,
        f"{_OURS}slots": batch.slots,
    }


def _of_index(subtask: SubtaskId) -> Attributes:
    shard = {} if subtask.shard is None else {f"{_OURS}shard": subtask.shard}
    name = {} if subtask.name is None else {f"{_OURS}name": subtask.name}
    return {f"{_OURS}index": subtask.index, **shard, **name}
