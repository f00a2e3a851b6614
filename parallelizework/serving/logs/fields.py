"""The fields of a record: of the attempt and of the trace that are current now."""

import sys
from typing import Any

from parallelizework.observation.observed import ObservedAttempt
from parallelizework.observation.observer import current_attempt
from parallelizework.progress.labels import without_labels


def attempt_fields() -> dict[str, Any]:
    """Return the fields of the attempt that this code executes; none outside of one."""
    attempt = current_attempt()
    if attempt is None:
        return {}
    return {
        **_subtask_fields(attempt),
        "fan_out": attempt.service,
        "role": attempt.role,
        "function": attempt.function,
        "attempt": attempt.number,
    }


def _subtask_fields(attempt: ObservedAttempt) -> dict[str, Any]:
    subtask = attempt.subtask_id()
    if subtask is None:
        return {"run": attempt.run} if attempt.run else {}
    run, labels = without_labels(subtask.run)
    found = {
        "run": run,
        "labels": labels or None,
        "shard": subtask.shard,
        "index": subtask.index,
        "name": subtask.name,
    }
    return {key: value for key, value in found.items() if value is not None}


def trace_fields() -> dict[str, str]:
    """Return the ids of the current trace and span, if OpenTelemetry is in use."""
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return {}
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {
        "trace_id": format(context.trace_id, "032x"),
        "span_id": format(context.span_id, "016x"),
    }
