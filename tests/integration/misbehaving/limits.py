"""Behaviors that limit the rate or the number of concurrent requests."""

import asyncio

from .answers import whole
from .server import Exchange, behavior


@behavior
async def limited(this: Exchange) -> None:
    """Allow this number of requests a second; answer others with `Retry-After`."""
    rate, quota = int(this.request.path[1]), "/".join(this.request.path)
    left, at = this.server.quotas.get(quota, (rate, this.request.at))
    left = min(rate, left + (this.request.at - at) * rate)
    this.server.quotas[quota] = (left - 1 if left >= 1 else left, this.request.at)
    is_well = left >= 1
    this.writer.write(whole(200 if is_well else 429, b"", "retry-after: 1"))


@behavior
async def crowd(this: Exchange) -> None:
    """Wait until this number of requests is in flight, and a moment longer."""
    path, inside, most = this.request.target, this.server.inside, this.server.most
    inside[path] += 1
    most[path] = max(most[path], inside[path])
    while most[path] < int(this.request.path[1]):  # noqa: ASYNC110 - of several of them
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    inside[path] -= 1
    this.writer.write(whole(200, b""))


@behavior
async def holding(this: Exchange) -> None:
    """Answer this number of requests; later requests wait for `let_go`."""
    server, well = this.server, int(this.request.path[1])
    while len(server.ledger) > well and not server.let_go:  # noqa: ASYNC110 - a thread
        await asyncio.sleep(0.01)
    this.writer.write(whole(200, b"done"))
