"""Manners that limit: how often, or how many at a time."""

import asyncio

from .answers import whole
from .server import Asked, Misbehaving, manner


@manner
async def limited(
    this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """So many requests a second; who comes beyond that is asked to come back."""
    rate, quota = int(asked.path[1]), "/".join(asked.path)
    left, at = this.quotas.get(quota, (rate, asked.at))
    left = min(rate, left + (asked.at - at) * rate)
    this.quotas[quota] = (left - 1 if left >= 1 else left, asked.at)
    is_well = left >= 1
    writer.write(whole(200 if is_well else 429, b"", "retry-after: 1"))


@manner
async def crowd(
    this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """Waits until so many have been there at once, and a moment more for others."""
    path = asked.target
    this.inside[path] += 1
    this.most[path] = max(this.most[path], this.inside[path])
    while this.most[path] < int(asked.path[1]):  # noqa: ASYNC110 - of several of them
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    this.inside[path] -= 1
    writer.write(whole(200, b""))


@manner
async def holding(
    this: Misbehaving, asked: Asked, _times: int, writer: asyncio.StreamWriter
) -> None:
    """All is well for so many requests; what comes then waits to be let go."""
    while len(this.ledger) > int(asked.path[1]) and not this.let_go:  # noqa: ASYNC110 - by a thread
        await asyncio.sleep(0.01)
    writer.write(whole(200, b"done"))
