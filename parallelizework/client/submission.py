"""Submit a task: it starts a run, or returns the run of its idempotency key."""

from parallelizework.client.codec import Codec, Result, Task
from parallelizework.client.run import AsyncRun
from parallelizework.client.server_api.ingress import Options
from parallelizework.client.server_api.names import hint, tried
from parallelizework.client.server_api.server import Server
from parallelizework.client.steering.notify import Receivers, check, notify
from parallelizework.errors import UnknownFanOut
from parallelizework.notifications.receivers import listed


async def submit(
    server: Server,
    codec: Codec[Task, Result],
    task: Task,
    options: Options,
    receivers: Receivers = (),
) -> AsyncRun[Result]:
    """Start a run, and notify receivers when it has ended.

    Raises:
        Refused: A receiver cannot be notified. Then no run is started.
        UnknownFanOut: No worker serves that fan-out; the message has similar names.
    """
    body, receivers = codec.dump(task), listed(receivers)
    await check(server, receivers)
    try:
        submitted = await server.ingress.submit(codec.name, body, options)
    except UnknownFanOut as error:
        remedy = await hint(server, codec.name)
        raise UnknownFanOut(f"{error}; {remedy}") from None
    run, is_new = submitted.run, submitted.is_new
    is_repeated = options.idempotency_key is not None
    await notify(server, run, receivers, codec.name, is_repeated=is_repeated)
    is_other = not is_new and await _is_other(server, run, codec, task, body)
    return AsyncRun(server, run, codec.load, is_new=is_new, has_other_task=is_other)


async def _is_other(
    server: Server, run: str, codec: Codec[Task, Result], task: Task, body: bytes
) -> bool:
    """Whether a run has another task; False if its task cannot be read."""
    inputs = await tried(server.sql.inputs([run], repeatable=False))
    if not inputs or inputs[run].body == body:
        return False
    try:
        return not codec.is_same(task, inputs[run].body)
    except Exception:  # a validator or `__eq__` of the task's type may raise anything
        return False
