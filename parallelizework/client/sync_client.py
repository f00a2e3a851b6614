"""Submit, follow and steer runs from a Python program, over plain HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

import httpx

from parallelizework.client import transport
from parallelizework.client.answers import (
    Failures,
    Listed,
    Paused,
    Progress,
)
from parallelizework.client.codec import Codec, codec_of
from parallelizework.client.deployments import Registered
from parallelizework.client.run import RemoteRun, server_at, warn_of_other_task

if TYPE_CHECKING:
    from pydantic import JsonValue

    from parallelizework.fan_out import FanOut


Task = TypeVar("Task")
Result = TypeVar("Result")


class Run(Generic[Result]):
    """A run on a restate-server.

    Attributes:
        id: Its id, with which any other process can `attach` to it.
        is_new: Whether `submit` has started it. False if it was there before: it was
            attached to, or its idempotency key was used before.
    """

    def __init__(self, remote: RemoteRun[Result], http: httpx.Client) -> None:
        self.id = remote.id
        self.is_new = remote.is_new
        self._remote = remote
        self._http = http

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the result, for `timeout` seconds at most.

        Raises:
            RunFailed: It ended without one.
            RunNotFinished: It has not ended in time, and goes on.
            UnknownRun: There is no such run.
            UnfitData: The result does not fit the fan-out's types.
        """
        return transport.run(self._remote.result(timeout), self._http)

    def progress(self) -> Progress:
        """How far it is."""
        return transport.run(self._remote.progress(), self._http)

    def updates(self) -> Iterator[Progress]:
        """How far it is, each time that has changed; the last one is of its end.

        It is looked at four times a second at first, and less often in a long run.
        """
        progress, since = None, monotonic()
        while not (progress and progress.ended):
            changed = self._remote.changed(progress, since)
            progress = transport.run(changed, self._http)
            yield progress

    def failures(self) -> Failures:
        """What failed so far: the first subtasks of them, and how many `more`.

        Once the run has ended it waits, for some seconds at most, until all is known.
        """
        return transport.run(self._remote.failures(), self._http)

    def paused(self) -> list[Paused]:
        """What of it is paused; fix the cause, and `resume`."""
        return transport.run(self._remote.paused(), self._http)

    def cancel(self) -> None:
        """Cancel it, and all that it has called; `Refused` if it has ended."""
        transport.run(self._remote.cancel(), self._http)

    def pause(self) -> None:
        """Start no more subtasks until `resume`.

        Those that are executing go on to their end. All that starts subtasks is paused
        when this returns.

        Raises:
            Refused: It has ended or not begun, or not all of it could be paused.
        """
        transport.run(self._remote.pause(), self._http)

    def resume(self) -> None:
        """Go on with what is paused of it; `Refused` if nothing is."""
        transport.run(self._remote.resume(), self._http)


class Client:
    """A restate-server, as a program sees it that submits and follows runs.

    Args:
        ingress: Where it takes requests; by default as `Settings` say.
        admin: Where it takes orders.

    What it asks is asked again when nobody answers, if that is safe: reading, and a
    submit that has an idempotency key. Each method raises `Unreachable` in the end.
    """

    def __init__(self, ingress: str | None = None, admin: str | None = None) -> None:
        self._server = server_at(ingress, admin)
        self._http = httpx.Client(trust_env=False)

    @overload
    def submit(
        self,
        fan_out: FanOut[Task, Any, Any, Result] | Codec[Task, Result],
        task: Task,
        *,
        idempotency_key: str | None = None,
        delay: float | None = None,
    ) -> Run[Result]: ...

    @overload
    def submit(
        self,
        fan_out: str,
        task: JsonValue,
        *,
        idempotency_key: str | None = None,
        delay: float | None = None,
    ) -> Run[JsonValue]: ...

    def submit(
        self,
        fan_out: FanOut[Any, Any, Any, Any] | Codec[Any, Any] | str,
        task: object,
        *,
        idempotency_key: str | None = None,
        delay: float | None = None,
    ) -> Run[Any]:
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
        remote = transport.run(submit, self._http)
        warn_of_other_task(remote, idempotency_key)
        return Run(remote, self._http)

    @overload
    def attach(
        self,
        fan_out: FanOut[Any, Any, Any, Result] | Codec[Any, Result],
        run_id: str,
    ) -> Run[Result]: ...

    @overload
    def attach(self, fan_out: str, run_id: str) -> Run[JsonValue]: ...

    def attach(
        self, fan_out: FanOut[Any, Any, Any, Any] | Codec[Any, Any] | str, run_id: str
    ) -> Run[Any]:
        """A run that this or another process submitted; asks the server nothing yet."""
        remote = RemoteRun(self._server, run_id, codec_of(fan_out).load)
        return Run(remote, self._http)

    @overload
    def run(
        self,
        fan_out: FanOut[Task, Any, Any, Result] | Codec[Task, Result],
        task: Task,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
    ) -> Result: ...

    @overload
    def run(
        self,
        fan_out: str,
        task: JsonValue,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
    ) -> JsonValue: ...

    def run(
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
        return self.submit(codec, task, idempotency_key=idempotency_key).result(wait)

    def recent(self, limit: int = 20) -> list[Listed]:
        """The latest runs of fan-outs, the newest first."""
        return transport.run(self._server.recent(limit), self._http)

    def register(self, worker: str, *, force: bool = False) -> Registered:
        """Register the worker at the URL `worker`; answer with its services' names.

        Args:
            worker: The URL at which the restate-server reaches the worker.
            force: Replace what the same URL served before, with other handlers; runs
                in flight may then fail to replay.

        Raises:
            RegistrationError: The server refused.
        """
        return transport.run(
            self._server.admin.register(worker, force=force), self._http
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Use it as a context manager to have it closed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()


def healthy(url: str) -> bool:
    """Whether `GET url` answers with success."""
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False
