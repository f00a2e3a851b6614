"""Submit a task: a run that begins, or the one that its idempotency key has already."""

from collections.abc import Coroutine
from difflib import get_close_matches
from typing import TypeVar

from parallelizework.client.codec import Codec, Result, Task
from parallelizework.client.run import AsyncRun
from parallelizework.client.server_api.server import Server
from parallelizework.errors import ClientError, UnknownFanOut

T = TypeVar("T")


async def submit(
    server: Server,
    codec: Codec[Task, Result],
    task: Task,
    idempotency_key: str | None,
    delay: float | None,
) -> AsyncRun[Result]:
    """Start a run, in `delay` seconds.

    Raises:
        UnknownFanOut: Nothing of that name is served; the message has the nearest ones.
    """
    body = codec.dump(task)
    try:
        submitted = await server.ingress.submit(
            codec.name, body, idempotency_key, delay
        )
    except UnknownFanOut as error:
        hint = await _hint(server, codec.name)
        raise UnknownFanOut(f"{error}; {hint}") from None
    run, is_new = submitted.run, submitted.is_new
    is_other = not is_new and await _is_other(server, run, codec, task, body)
    return AsyncRun(server, run, codec.load, is_new=is_new, has_other_task=is_other)


async def _is_other(
    server: Server, run: str, codec: Codec[Task, Result], task: Task, body: bytes
) -> bool:
    """Whether a run was surely submitted with another task."""
    inputs = await _tried(server.sql.inputs([run], repeatable=False))
    if not inputs or inputs[run].body == body:
        return False
    try:
        return not codec.is_same(task, inputs[run].body)
    except Exception:  # of a validator, or an __eq__, of the task's own type
        return False


async def _hint(server: Server, name: str) -> str:
    names = await _tried(server.admin.fan_outs())
    if not names:
        return "`parallelizework doctor` says what is"
    near = get_close_matches(name, names)
    return f"did you mean {' or '.join(near)}?" if near else ", ".join(names)


async def _tried(answer: Coroutine[object, object, T]) -> T | None:
    try:
        return await answer
    except ClientError:
        return None
