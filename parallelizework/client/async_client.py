"""`AsyncClient`: what `Client` does, without blocking the event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

import httpx

from parallelizework.client import transport
from parallelizework.client.answers import Failures, Listed, Paused, Progress
from parallelizework.client.codec import Codec, codec_of
from parallelizework.client.deployments import Registered
from parallelizework.client.run import RemoteRun, server_at, warn_of_other_task

if TYPE_CHECKING:
    from pydantic import JsonValue

    from parallelizework.fan_out import FanOut

Task = TypeVar("Task")
Result = TypeVar("Result")


class AsyncRun(Generic[Result]):
    """A run on a restate-server.

    Attributes:
        id: Its id, with which any other process can `attach` to it.
        is_new: Whether `submit` has started it. False if it was there before: it was
            attached to, or its idempotency key was used before.
    """

    def __init__(self, remote: RemoteRun[Result], http: httpx.AsyncClient) -> None:
        self.id = remote.id
        self.is_new = remote.is_new
        self._remote = remote
        self._http = http

    async def result(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as that of `Run`
    ) -> Result:
        """Wait for the result, for `timeout` seconds at most.

        Raises:
            RunFailed: It ended without one.
            RunNotFinished: It has not ended in time, and goes on.
            UnknownRun: There is no such run.
            UnfitData: The result does not fit the fan-out's types.
        """
        return await transport.run_async(self._remote.result(timeout), self._http)

    async def progress(self) -> Progress:
        """How far it is."""
        return await transport.run_async(self._remote.progress(), self._http)

    async def updates(self) -> AsyncIterator[Progress]:
        """How far it is, each time that has changed; the last one is of its end.

        It is looked at four times a second at first, and less often in a long run.
        """
        progress, since = None, monotonic()
        while not (progress and progress.ended):
            changed = self._remote.changed(progress, since)
            progress = await transport.run_async(changed, self._http)
            yield progress

    async def failures(self) -> Failures:
        """What failed so far: the first subtasks of them, and how many `more`.

        Once the run has ended it waits, for some seconds at most, until all is known.
        """
        return await transport.run_async(self._remote.failures(), self._http)

    async def paused(self) -> list[Paused]:
        """What of it is paused; fix the cause, and `resume`."""
        return await transport.run_async(self._remote.paused(), self._http)

    async def cancel(self) -> None:
        """Cancel it, and all that it has called; `Refused` if it has ended."""
        await transport.run_async(self._remote.cancel(), self._http)

    async def pause(self) -> None:
        """Start no more subtasks until `resume`.

        Those that are executing go on to their end. All that starts subtasks is paused
        when this returns.

        Raises:
            Refused: It has ended or not begun, or not all of it could be paused.
        """
        await transport.run_async(self._remote.pause(), self._http)

    async def resume(self) -> None:
        """Go on with what is paused of it; `Refused` if nothing is."""
        await transport.run_async(self._remote.resume(), self._http)


class AsyncClient:
    """A restate-server, as a program sees it that submits and follows runs.

    Args:
        ingress: Where it takes requests; by default as `Settings` say.
        admin: Where it takes orders.

    What it asks is asked again when nobody answers, if that is safe: reading, and a
    submit that has an idempotency key. Each method raises `Unreachable` in the end.
    """

    def __init__(self, ingress: str | None = None, admin: str | None = None) -> None:
        self._server = server_at(ingress, admin)
        self._http = httpx.AsyncClient(trust_env=False)

    @overload
    async def submit(
        self,
        fan_out: FanOut[Task, Any, Any, Result] | Codec[Task, Result],
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
        fan_out: FanOut[Any, Any, Any, Any] | Codec[Any, Any] | str,
        task: object,
        *,
        idempotency_key: str | None = None,
        delay: float | None = None,
    ) -> AsyncRun[Any]:
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
        submit = self._server.submit(codec_of(fan_out), task, idempotency_key, delay)
        remote = await transport.run_async(submit, self._http)
        warn_of_other_task(remote, idempotency_key)
        return AsyncRun(remote, self._http)

    @overload
    def attach(
        self,
        fan_out: FanOut[Any, Any, Any, Result] | Codec[Any, Result],
        run_id: str,
    ) -> AsyncRun[Result]: ...

    @overload
    def attach(self, fan_out: str, run_id: str) -> AsyncRun[JsonValue]: ...

    def attach(
        self, fan_out: FanOut[Any, Any, Any, Any] | Codec[Any, Any] | str, run_id: str
    ) -> AsyncRun[Any]:
        """A run that this or another process submitted; asks the server nothing yet."""
        remote = RemoteRun(self._server, run_id, codec_of(fan_out).load)
        return AsyncRun(remote, self._http)

    @overload
    async def run(
        self,
        fan_out: FanOut[Task, Any, Any, Result] | Codec[Task, Result],
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
        fan_out: FanOut[Any, Any, Any, Any] | Codec[Any, Any] | str,
        task: Any,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
    ) -> Any:
        """Submit and wait for the result, for `wait` seconds.

        Raises:
            RunNotFinished: It goes on; `attach` to the error's `run`.
        """
        codec = codec_of(fan_out)
        submitted = await self.submit(codec, task, idempotency_key=idempotency_key)
        return await submitted.result(wait)

    async def recent(self, limit: int = 20) -> list[Listed]:
        """The latest runs of fan-outs, the newest first."""
        return await transport.run_async(self._server.recent(limit), self._http)

    async def register(self, worker: str, *, force: bool = False) -> Registered:
        """Register the worker at the URL `worker`; answer with its services' names.

        Args:
            worker: The URL at which the restate-server reaches the worker.
            force: Replace what the same URL served before, with other handlers; runs
                in flight may then fail to replay.

        Raises:
            RegistrationError: The server refused.
        """
        return await transport.run_async(
            self._server.admin.register(worker, force=force), self._http
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Use it as a context manager to have it closed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()
