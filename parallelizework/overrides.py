"""Overrides: what a request says about the policy, and how that travels."""

import json
from collections.abc import Mapping
from typing import Any, cast

from pydantic_core import from_json
from restate import TerminalError

from parallelizework.policy import Policy

_HEADER = "x-parallelizework-policy"

Overrides = dict[str, Any]  # of a `Policy`, as plain JSON; only what was said


def requested(task: object) -> Overrides:
    """What the field `policy` of a task says, where it has one."""
    is_dict = isinstance(task, Mapping)
    policy = cast("Mapping[str, object]", task).get("policy") if is_dict else None
    policy = policy or getattr(task, "policy", None)
    if not isinstance(policy, Policy):
        return {}
    return policy.model_dump(mode="json", exclude_unset=True)


def headers(overrides: Overrides) -> dict[str, str]:
    """The headers that tell a call of `runSubtask`, whose body is the subtask alone."""
    return {_HEADER: json.dumps(overrides)} if overrides else {}


def told(headers: Mapping[str, str]) -> Overrides:
    """What such headers say.

    Raises:
        TerminalError: 400; they are not JSON.
    """
    try:
        return from_json(headers.get(_HEADER, "{}"))
    except ValueError as error:
        raise TerminalError(
            f"the header {_HEADER} is not JSON: {error}", 400
        ) from error
