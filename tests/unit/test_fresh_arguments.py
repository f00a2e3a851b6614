"""Each attempt receives its arguments as they were: an attempt may change them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from parallelizework import FanOut, Policy
from parallelizework.testing import run_inline

T = TypeVar("T")
SOON = timedelta(milliseconds=1)
POLICIES = [
    Policy(initial_retry_interval=SOON),
    Policy(initial_retry_interval=SOON, max_items_per_batch=2),
]


class Changing:
    """Functions that change their arguments, and fail twice before they succeed."""

    def __init__(self) -> None:
        self._calls: dict[str, int] = {}

    def _emptied(self, name: str, argument: list[T]) -> list[T]:
        received = list(argument)
        argument.clear()
        self._calls[name] = self._calls.get(name, 0) + 1
        if self._calls[name] <= 2:
            raise OSError("try again")
        return received

    def split(self, task: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
        return self._emptied("split", task)

    def expand(self, shard: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self._emptied(f"expand {shard}", shard)

    def execute(self, subtask: dict[str, Any]) -> list[int]:
        [number] = subtask["numbers"]
        return self._emptied(f"execute {number}", subtask["numbers"])

    def combine(self, values: list[list[int]]) -> list[int]:
        numbers = [number for value in values for number in value]
        self._emptied("combine", values)
        return numbers

    def aggregate(
        self, values: list[list[int]], task: list[list[dict[str, Any]]]
    ) -> list[int]:
        numbers = [number for value in values for number in value]
        assert len(task) == 2
        self._emptied("aggregate", task)
        values.clear()
        return sorted(numbers)


TASK = [[{"numbers": [0]}, {"numbers": [1]}], [{"numbers": [2]}]]


def with_shards(functions: Changing, **more: Any) -> FanOut[Any, Any, Any, Any]:
    return FanOut(
        "Changing",
        split=functions.split,
        expand=functions.expand,
        execute=functions.execute,
        aggregate=functions.aggregate,
        **more,
    )


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("replays", [False, True])
@pytest.mark.parametrize("has_combine", [False, True])
def test_an_attempt_may_change_its_arguments(
    policy: Policy, *, replays: bool, has_combine: bool
) -> None:
    functions = Changing()
    more: dict[str, Callable[..., Any]] = {}
    if has_combine:
        more["combine"] = functions.combine
    fan_out = with_shards(functions, policy=policy, **more)

    result = run_inline(fan_out, TASK, replays=replays).result

    assert result == [0, 1, 2]
