"""`hint`: how to correct the unknown name of a fan-out."""

from collections.abc import Coroutine
from difflib import get_close_matches
from typing import TypeVar

from parallelizework.client.server_api.server import Server
from parallelizework.errors import ClientError

T = TypeVar("T")


async def hint(server: Server, name: str) -> str:
    """Return how to correct the unknown name of a fan-out."""
    names = await tried(server.admin.fan_outs())
    if not names:
        return "`parallelizework doctor` lists the fan-outs that are served"
    if name in names:
        return (
            f"{server.admin.url} lists it: check that this admin API and the ingress "
            f"{server.ingress.url} are of the same server"
        )
    near = get_close_matches(name, names)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"these fan-outs are served: {', '.join(names)}"


async def tried(answer: Coroutine[object, object, T]) -> T | None:
    """Return an answer of the server; None if the request fails."""
    try:
        return await answer
    except ClientError:
        return None
