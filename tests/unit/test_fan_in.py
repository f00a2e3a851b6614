"""Values in the order of their calls, whatever the order they come in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallelizework.fan_in import FanIn

pytestmark = pytest.mark.anyio


def read(answer: bytes) -> list[Any]:
    return [int(answer)]


async def concatenated(values: list[Any]) -> Any:
    return "+".join(map(str, values))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def landed(order: list[int], *, combine: bool) -> list[Any]:
    fan_in = FanIn(read, concatenated if combine else None)
    for place in order:
        await fan_in.land(place, b"%d" % place)
    return await fan_in.values()


@given(st.permutations(range(40)))
async def test_values_are_in_order(order: list[int]) -> None:
    assert await landed(order, combine=False) == list(range(40))


@given(st.permutations(range(40)))
async def test_values_are_combined_in_order(order: list[int]) -> None:
    assert await landed(order, combine=True) == ["+".join(map(str, range(40)))]


async def test_no_value_stays_none_and_one_stays_itself() -> None:
    assert await landed([], combine=True) == []
    assert await landed([0], combine=True) == [0]
