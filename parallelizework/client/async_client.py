"""`AsyncClient`: submit, follow and steer runs from a program with an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, overload

from parallelizework.client import run_state
from parallelizework.client.codec import Codec, Result, Subtask, Task, Value, codec_of
from parallelizework.client.run import AsyncRun, warn_of_other_task
from parallelizework.client.server_api.server import Server
from parallelizework.client.submission import submit

if TYPE_CHECKING:
    from pydantic import JsonValue

    from parallelizework.client.models import Listed
    from parallelizework.client.server_api.deployments import Registered
    from parallelizework.fan_out import FanOut


class AsyncClient:
    """As `Client`, whose methods say what they promise and raise, without blocking."""

    def __init__(self, ingress: str | None = None, admin: str | None = None) -> None:
        self._server = Server.at(ingress, admin)

    @overload
    async def submit(
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result],
        task: Task,
        *,
        idempotency_key: str | None = None,
        delay: float | None = None,
    ) -> AsyncRun[Result]: ...

    @overload
    async def submit(
        self,
        fan_out: str,
        task: JsonValue,
        *,
        idempotency_key: str | None = None,
        delay: float | None = None,
    ) -> AsyncRun[JsonValue]: ...

    async def submit(
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result] | str,
        task: Task,
        *,
        idempotency_key: str | None = None,
        delay: float | None = None,
    ) -> AsyncRun[Result]:
        """Start a run and do not wait for it."""
        codec = codec_of(fan_out)
        run = await submit(self._server, codec, task, idempotency_key, delay)
        warn_of_other_task(run, idempotency_key)
        return run

    @overload
    def attach(
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result],
        run_id: str,
    ) -> AsyncRun[Result]: ...

    @overload
    def attach(self, fan_out: str, run_id: str) -> AsyncRun[JsonValue]: ...

    def attach(
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result] | str,
        run_id: str,
    ) -> AsyncRun[Result]:
        """A run that this or another process submitted; asks the server nothing yet."""
        return AsyncRun(self._server, run_id, codec_of(fan_out).load)

    @overload
    async def run(
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result],
        task: Task,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
    ) -> Result: ...

    @overload
    async def run(
        self,
        fan_out: str,
        task: JsonValue,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
    ) -> JsonValue: ...

    async def run(
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result] | str,
        task: Task,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
    ) -> Result:
        """Submit and wait for the result, for `wait` seconds."""
        codec = codec_of(fan_out)
        run = await self.submit(codec, task, idempotency_key=idempotency_key)
        return await run.result(wait)

    async def recent(self, limit: int = 20) -> list[Listed]:
        """The latest runs of fan-outs, the newest first."""
        return await run_state.recent(self._server, limit)

    async def register(self, worker: str, *, force: bool = False) -> Registered:
        """Register the worker at the URL `worker`; answer with its services' names."""
        return await self._server.admin.register(worker, force=force)

    async def close(self) -> None:
        """Close the connections."""
        await self._server.http.close()

    async def __aenter__(self) -> Self:
        """Use it as a context manager to have it closed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()
