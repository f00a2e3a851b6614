"""The headers of a call of `runSubtask`, whose body is the subtask alone. Pure."""

import json
from collections.abc import Mapping

from pydantic_core import from_json

from parallelizework.policy import Overrides

_POLICY = "x-parallelizework-policy"
_SUBTASK = "x-parallelizework-subtask"


def policy_headers(overrides: Overrides) -> dict[str, str]:
    """The header that says what the request says about the policy."""
    return {_POLICY: json.dumps(overrides)} if overrides else {}


def overrides_in(headers: Mapping[str, str]) -> Overrides:
    """What the request says about the policy.

    Raises:
        ValueError: The header is not JSON.
    """
    if not (written := headers.get(_POLICY)):
        return {}
    try:
        return from_json(written)
    except ValueError as error:
        raise ValueError(f"the header {_POLICY} is not JSON: {error}") from error


def subtask_headers(name: str) -> dict[str, str]:
    """The header that names a subtask, for logs."""
    return {_SUBTASK: name}


def name_in(headers: Mapping[str, str]) -> str:
    """The name of the subtask; empty where the caller gave none."""
    return headers.get(_SUBTASK, "")


def subtask_name(run: str, index: int, shard: int | None) -> str:
    """The name of a subtask: `run=... shard=... index=...`."""
    of_shard = "" if shard is None else f" shard={shard}"
    return f"run={run}{of_shard} index={index}"
