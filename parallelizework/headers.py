"""The headers of a call of `runSubtask`; its body is only the subtask. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic_core import from_json

from parallelizework.policy import Overrides

POLICY_HEADER = "x-parallelizework-policy"
SUBTASK_HEADER = "x-parallelizework-subtask"  # see `SubtaskId`

_MAX_NAME = 80  # characters: a name is part of log lines and of tables
_MORE = "..."
# A run has labels, with quotes around values that have a space. No label has the key
# `shard` or `index`. The name is last and may contain anything.
_LABEL = r' (?!shard=|index=)[\w.-]+=(?:"(?:[^"\\]|\\.)*"|[^"\s]+)'
_SUBTASK_ID = re.compile(
    rf"run=(\S*(?:{_LABEL})*)(?: shard=(\d+))? index=(\d+)(?: name=(.+))?"
)


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


@dataclass(frozen=True)
class SubtaskId:
    """Which subtask of which run a call executes.

    As a text, it is the value of the header, and a part of log lines:
    `run=inv_1 tenant=acme shard=2 index=17 name=photo-17.jpg`.

    Attributes:
        run: The id of the run and its labels, as the log shows them.
        index: The index of the subtask in the split, or in its shard.
        shard: The index of the shard; None without `expand`.
        name: What `name_of` returned for the subtask; None for no name.
    """

    run: str
    index: int
    shard: int | None = None
    name: str | None = None

    def __str__(self) -> str:
        shard = "" if self.shard is None else f" shard={self.shard}"
        name = "" if self.name is None else f" name={self.name}"
        return f"run={self.run}{shard} index={self.index}{name}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The subtask that a header names; None if the header names no subtask."""
        found = _SUBTASK_ID.fullmatch(text)
        if not found:
            return None
        run, shard, index, name = found.groups()
        return cls(run, int(index), None if shard is None else int(shard), name)


def short_name(name: str) -> str | None:
    """The name of a subtask as one printable line of at most 80 characters.

    Returns:
        The name; None if nothing of it is printable.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if len(line) > _MAX_NAME:
        line = f"{line[: _MAX_NAME - len(_MORE)]}{_MORE}"
    return line or None
