"""Submit a task: it starts a run, or returns the run of its idempotency key."""

from collections.abc import Coroutine
from difflib import get_close_matches
from typing import TypeVar

from parallelizework.client.codec import Codec, Result, Task
from parallelizework.client.run import AsyncRun
from parallelizework.client.server_api.ingress import Options
from parallelizework.client.server_api.server import Server
from parallelizework.errors import ClientError, UnknownFanOut

T = TypeVar("T")


async def submit(
    server: Server,
    codec: Codec[Task, Result],
    task: Task,
    options: Options,
) -> AsyncRun[Result]:
    """Start a run.

    Raises:
        UnknownFanOut: No worker serves that fan-out; the message has similar names.
    """
    body = codec.dump(task)
    try:
        submitted = await server.ingress.submit(codec.name, body, options)
    except UnknownFanOut as error:
        remedy = await hint(server, codec.name)
        raise UnknownFanOut(f"{error}; {remedy}") from None
    run, is_new = submitted.run, submitted.is_new
    is_other = not is_new and await _is_other(server, run, codec, task, body)
    return AsyncRun(server, run, codec.load, is_new=is_new, has_other_task=is_other)


async def _is_other(
    server: Server, run: str, codec: Codec[Task, Result], task: Task, body: bytes
) -> bool:
    """Whether a run has another task; False if its task cannot be read."""
    inputs = await _tried(server.sql.inputs([run], repeatable=False))
    if not inputs or inputs[run].body == body:
        return False
    try:
        return not codec.is_same(task, inputs[run].body)
    except Exception:  # a validator or `__eq__` of the task's type may raise anything
        return False


async def hint(server: Server, name: str) -> str:
    """Return how to correct the unknown name of a fan-out."""
    names = await _tried(server.admin.fan_outs())
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


async def _tried(answer: Coroutine[object, object, T]) -> T | None:
    try:
        return await answer
    except ClientError:
        return None
