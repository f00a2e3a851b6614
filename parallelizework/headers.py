"""The headers of a call of `runSubtask`, whose body is the subtask alone. Pure."""

import json
from collections.abc import Mapping

from pydantic_core import from_json

from parallelizework.policy import Overrides

POLICY_HEADER = "x-parallelizework-policy"
SUBTASK_HEADER = "x-parallelizework-subtask"  # its name, for logs: run=... index=...


def policy_headers(overrides: Overrides) -> dict[str, str]:
    """The header that says what the request says about the policy."""
    return {POLICY_HEADER: json.dumps(overrides)} if overrides else {}


def overrides_of(header: str) -> Overrides:
    """What the request says about the policy, as its header has it.

    Raises:
        ValueError: The header is not JSON.
    """
    try:
        return from_json(header)
    except ValueError as error:
        raise ValueError(f"the header {POLICY_HEADER} is not JSON: {error}") from error


def name_in(headers: Mapping[str, str]) -> str:
    """The name of the subtask; empty where the caller gave none."""
    return headers.get(SUBTASK_HEADER, "")


def slice_name(run: str, shard: int | None) -> str:
    """What the names of the subtasks of a slice begin with; an index follows."""
    return f"run={run}" if shard is None else f"run={run} shard={shard}"
