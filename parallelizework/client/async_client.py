"""`AsyncClient`: submit, follow and steer runs from a program with an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar, overload

from parallelizework.client import run_state
from parallelizework.client.codec import Codec, codec_of
from parallelizework.client.run import AsyncRun, warn_of_other_task
from parallelizework.client.server_api.server import Server
from parallelizework.client.submission import submit

if TYPE_CHECKING:
    from pydantic import JsonValue

    from parallelizework.client.models import Listed
    from parallelizework.client.server_api.deployments import Registered
    from parallelizework.fan_out import FanOut

Task = TypeVar("Task")
Subtask = TypeVar("Subtask")
Value = TypeVar("Value")
Result = TypeVar("Result")


class AsyncClient:
    """A restate-server, as a program sees it that submits and follows runs.

    Args:
        ingress: The URL of its ingress; by default as `Settings` say.
        admin: The URL of its admin API.

    What it asks is asked again when nobody answers, if that is safe: reading, and a
    submit that has an idempotency key. Each method raises `Unreachable` in the end.
    """

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
        """Start a run and do not wait for it.

        Args:
            fan_out: The `FanOut`, for a typed task and result; or a name, for JSON.
            task: What to do.
            idempotency_key: The same key answers with the same run, for a day. A key
                of a run with another task is an `OtherTask` warning.
            delay: Start in so many seconds.

        Raises:
            UnknownFanOut: Nothing of that name is served.
            UnfitData: The task does not fit the fan-out's types; or the key is empty or
                not ASCII, or the delay negative or endless.
        """
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
        """Submit and wait for the result, for `wait` seconds.

        Raises:
            RunNotFinished: It goes on; `attach` to the error's `run`.
        """
        codec = codec_of(fan_out)
        run = await self.submit(codec, task, idempotency_key=idempotency_key)
        return await run.result(wait)

    async def recent(self, limit: int = 20) -> list[Listed]:
        """The latest runs of fan-outs, the newest first."""
        return await run_state.recent(self._server.sql, limit)

    async def register(self, worker: str, *, force: bool = False) -> Registered:
        """Register the worker at the URL `worker`; answer with its services' names.

        Args:
            worker: The URL at which the restate-server reaches the worker.
            force: Replace what the same URL served before, with other handlers; runs
                in flight may then fail to replay.

        Raises:
            RegistrationError: The server refused.
        """
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
