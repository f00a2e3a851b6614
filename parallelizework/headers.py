"""The headers of a call of `runSubtask`; its body is only the subtask. Pure."""

import json
from collections.abc import Mapping

from pydantic_core import from_json

from parallelizework.policy import Overrides

POLICY_HEADER = "x-parallelizework-policy"
SUBTASK_HEADER = "x-parallelizework-subtask"  # the name for logs: run=... index=...


def policy_headers(overrides: Overrides) -> dict[str, str]:
    """The header with the request's overrides of the policy; none if it has none."""
    return {POLICY_HEADER: json.dumps(overrides)} if overrides else {}


def overrides_of(header: str) -> Overrides:
    """The request's overrides of the policy, read from the header.

    Raises:
        ValueError: The header is not JSON.
    """
    try:
        return from_json(header)
    except ValueError as error:
        raise ValueError(f"the header {POLICY_HEADER} is not JSON: {error}") from error


def name_in(headers: Mapping[str, str]) -> str:
    """The name of the subtask; empty if the caller sent no name."""
    return headers.get(SUBTASK_HEADER, "")


def slice_name(run: str, shard: int | None) -> str:
    """The start of the names of all subtasks in a slice; an index follows it."""
    return f"run={run}" if shard is None else f"run={run} shard={shard}"
