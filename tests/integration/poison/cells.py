"""`Cell`: one run with poison, and the allowed ends of this run."""

import json
from dataclasses import dataclass
from typing import Any

from ..parallel_runs import End, Submission
from .errors import ERRORS, RETRIED
from .values import LEVELS, SIZES, UNFIT, VALUES

_TOLERANT = {"tolerated_failure_percentage": 100}
_BATCH = {"max_items_per_batch": 16}
_LASTING = {"max_attempts": 1_000_000, "initial_retry_interval": 0.1}
EXECUTED = ("sync", "async", "code", "executor", "sync batch", "async batch")
SHARDED = ("shard", "expand", "expanded item", "failing expanded item", "combine")
STEPS = ("split", "expand", "combine", "aggregate")
HARMLESS = {
    "150 levels",
    "NaN",
    "infinity",
    "NaN in a dict",
    "infinity in a dict",
}
HARMFUL = {
    *UNFIT,
    *(kind for kind in VALUES["Model"] if kind.startswith(("None", "wrong"))),
    *("5000 levels", "bytes", "cycle", "object", "unshowable object", "exception"),
}
TASKS: dict[str, bytes] = {
    **{f"{levels} levels": b"[" * levels + b"]" * levels for levels in LEVELS},
    "4301 digits": b"1" + b"0" * 4_300,
    "10000 digits": b"1" + b"0" * 9_999,
    "NaN in a dict": b'{"x": NaN}',
    "surrogate": b'"a\\ud800b"',
    "surrogate in a key": b'{"a\\ud800b": 1}',
    "bytes": b'{"x": "\xff\xfe"}',
    "cut off": b"[",
    "infinity": b"Infinity",
    "wrong type": b'"rubbish"',
}


@dataclass(frozen=True)
class Cell:
    """A cell of the table: one run.

    Attributes:
        kind: The poison.
        at: The point at which the poison arises.
        way: How functions are executed, one of `EXECUTED`.
        shape: The type of value.
        strict: The first failure of a subtask fails the run.
        lasting: The number of attempts is unlimited, and the test cancels the run.
    """

    kind: str
    at: str
    way: str = "sync"
    shape: str = "Any"
    strict: bool = False
    lasting: bool = False

    def __str__(self) -> str:
        more = ", strictly" * self.strict
        return f"{self.kind} at {self.at}, {self.way}{more}"

    @property
    def submission(self) -> Submission:
        return Submission(self.service, self.body(""))

    @property
    def service(self) -> str:
        way = self.way.split()[0].capitalize()
        shards = "Shards" * (self.at in SHARDED)
        lasting = "Lasting" * (self.lasting and self.way == "code")
        return f"Poison{self.shape}{way}{shards}{lasting}"

    def body(self, key: str) -> bytes:
        policy = {} if self.strict else _TOLERANT
        policy = policy | (_BATCH if "batch" in self.way else {})
        policy = policy | (_LASTING if self.lasting and self.way != "code" else {})
        task = {"kind": self.kind, "at": self.at, "key": key, "policy": policy}
        body = json.dumps(task).encode()
        if self.at != "task":
            return body
        return body[:-1] + b', "load": ' + TASKS[self.kind] + b"}"

    @property
    def allowed(self) -> set[str]:
        """The allowed ends, in the words of `became`: one or more.

        "through": the run succeeds and returns the poison. "alone CODE": only the
        subtask fails. "failed CODE": the run fails.
        """
        if "failing" in self.at:  # or the item is refused before the failure
            fails = "failed 418" if self.strict else "alone 418"
            return {fails} if self.kind in HARMLESS else {fails, "failed 500"}
        if self.kind in HARMLESS and self.at in self._bare:
            return {"through"}
        if self.lasting:
            fails_first = {f"{bad} 500" for bad in ("alone", "failed")}
            return {"failed 409"} | (fails_first if "delay" in self.kind else set())
        if (self.kind, self.at) == ("None in a field", "aggregate"):
            return {
                "through"
            }  # pydantic serializes it, and no code validates the result
        is_always_refused = self.kind in HARMFUL | SIZES.keys() | ERRORS.keys()
        return self._refused if is_always_refused else self._refused | {"through"}

    @property
    def _bare(self) -> set[str]:
        """The points at which the value is not a field of a model of `models.py`."""
        bare = {"execute", "done", "combine", "aggregate"}
        return bare if self.shape == "Number" else bare | {"item", "task"}

    @property
    def _refused(self) -> set[str]:
        if self.at == "task":  # or `split` fails: its subtasks contain the poison
            return {"failed 400"} | ({"failed 500"} if "levels" in self.kind else set())
        bad = "failed" if self.strict or self.at != "execute" else "alone"
        refused = {f"{bad} {code}" for code in statuses(self.kind)}
        if self.way == "code" and self.kind in RETRIED:  # Restate counts the attempts
            refused |= {f"{bad} 500"}
        # The run refuses an item, or only the subtask of the item fails.
        if self.at in ("item", "shard", "expanded item"):
            refused |= {f"alone {code}" for code in (400, *statuses(self.kind))}
        return refused

    def became(self, end: End) -> str:
        """Describe the end of the run in the words of `allowed`."""
        if not end.status:
            return "hangs, and cannot be cancelled" if end.ignores_cancel else "hangs"
        if end.status >= 400:
            return f"failed {end.status}"
        answer: Any = json.loads(end.text, parse_int=str)
        if not end.text.startswith("[{"):
            return f"answered {end.text[:200]}"
        return self._reported(answer[0]["values"], answer[0]["failures"])

    def _reported(self, values: list[Any], failures: list[Any]) -> str:
        sharded = self.at in SHARDED
        healthy = "healthy" if self.at == "aggregate" else self.kind
        through = [self.kind] if sharded else ["healthy", healthy, "healthy"]
        left = ["healthy"] if sharded else ["healthy", "healthy"]
        match failures:
            case [] if values == through:
                return "through"
            case [[index, "failed", code]] if values == left:
                return (
                    f"alone {code}" if index == str(int(not sharded)) else "elsewhere"
                )
            case _:
                return f"answered {values}, {failures}"


def statuses(kind: str) -> set[int]:
    """Return the statuses that an error or a refused value may cause."""
    if kind in SIZES:
        return {413}
    if "cancellation" in kind:
        return {409}
    if kind.startswith("delay"):
        return {429} if kind[6:] in ("10 ms", "negative") else {429, 500}
    error, _, detail = kind.partition(", ")
    if error not in ("TerminalError", "RetryableError"):
        return {500}
    return {
        "message None": {418, 500},
        "code 418": {418},
    }.get(detail, {500} if detail.startswith("code") else {418})
