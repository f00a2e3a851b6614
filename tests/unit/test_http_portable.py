"""Values that can be read again as JSON, however a run nests them."""

from typing import Any

import pytest
from pydantic_core import from_json, to_json

from parallelizework.ready_made.http.portable import is_portable


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def test_a_portable_value_can_be_read_inside_forty_more_arrays() -> None:
    value = nested(160)

    assert is_portable(value)
    assert from_json(b"[" * 40 + to_json(value) + b"]" * 40)


@pytest.mark.parametrize(
    "value",
    [
        nested(161),
        nested(253),
        nested(900),
        float("nan"),
        [float("inf")],
        10**4_000 * 10**1_000,
        "\ud800",
        {"\udfff": 1},
    ],
    ids=["161", "253", "900", "NaN", "infinity", "digits", "surrogate", "key"],
)
def test_a_value_that_could_not_be_read_again_is_not_portable(value: Any) -> None:
    assert not is_portable(value)


@pytest.mark.parametrize("value", [None, True, 0, -1.5, "é", [], {"": [None]}, 9**999])
def test_any_other_value_is_portable(value: Any) -> None:
    assert is_portable(value)
