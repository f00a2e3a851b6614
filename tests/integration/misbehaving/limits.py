"""Manners that limit: how often, or how many at a time."""

import asyncio

from .answers import whole
from .server import Exchange, manner


@manner
async def limited(this: Exchange) -> None:
    """So many requests a second; who comes beyond that is asked to come back."""
    rate, quota = int(this.asked.path[1]), "/".join(this.asked.path)
    left, at = this.server.quotas.get(quota, (rate, this.asked.at))
    left = min(rate, left + (this.asked.at - at) * rate)
    this.server.quotas[quota] = (left - 1 if left >= 1 else left, this.asked.at)
    is_well = left >= 1
    this.writer.write(whole(200 if is_well else 429, b"", "retry-after: 1"))


@manner
async def crowd(this: Exchange) -> None:
    """Waits until so many have been there at once, and a moment more for others."""
    path, inside, most = this.asked.target, this.server.inside, this.server.most
    inside[path] += 1
    most[path] = max(most[path], inside[path])
    while most[path] < int(this.asked.path[1]):  # noqa: ASYNC110 - of several of them
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    inside[path] -= 1
    this.writer.write(whole(200, b""))


@manner
async def holding(this: Exchange) -> None:
    """All is well for so many requests; what comes then waits to be let go."""
    server, well = this.server, int(this.asked.path[1])
    while len(server.ledger) > well and not server.let_go:  # noqa: ASYNC110 - a thread
        await asyncio.sleep(0.01)
    this.writer.write(whole(200, b"done"))
