"""What the workers of a cluster serve in the tests."""

import asyncio

from parallelizework import FanOut


def numbers(count: int) -> list[int]:
    return list(range(count))


async def square(number: int) -> int:
    await asyncio.sleep(0.05)
    return number * number


def listed(squares: list[int]) -> list[int]:
    return squares


squares = FanOut("Squares", split=numbers, execute=square, aggregate=listed)
