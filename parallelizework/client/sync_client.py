"""`Client`: submit, follow and steer runs from a program without an event loop."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Generic, Self, overload

from parallelizework.client import run_state
from parallelizework.client.codec import Codec, Result, Subtask, Task, Value, codec_of
from parallelizework.client.event_loop_thread import EventLoopThread
from parallelizework.client.run import AsyncRun, next_update, warn_of_other_task
from parallelizework.client.server_api.server import Server
from parallelizework.client.submission import submit

if TYPE_CHECKING:
    from pydantic import JsonValue

    from parallelizework.client.models import Failures, Listed, Paused, Progress
    from parallelizework.client.server_api.deployments import Registered
    from parallelizework.fan_out import FanOut


class Run(Generic[Result]):
    """A run on a restate-server.

    Attributes:
        id: Its id, with which any other process can `attach` to it.
        is_new: Whether `submit` has started it. False if it was there before: it was
            attached to, or its idempotency key was used before.
    """

    def __init__(self, run: AsyncRun[Result], thread: EventLoopThread) -> None:
        self.id = run.id
        self.is_new = run.is_new
        self._run = run
        self._thread = thread

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the result, for `timeout` seconds at most.

        Raises:
            RunFailed: It ended without one.
            RunNotFinished: It has not ended in time, and continues.
            UnknownRun: There is no such run.
            UnfitData: The result does not fit the fan-out's types.
        """
        return self._thread.run(self._run.result(timeout))

    def progress(self) -> Progress:
        """How far it is."""
        return self._thread.run(self._run.progress())

    def updates(self) -> Iterator[Progress]:
        """How far it is, each time that has changed; the last one is of its end.

        It is looked at four times a second at first, and less often in a long run.
        """
        progress, since = None, monotonic()
        while not (progress and progress.ended):
            update = next_update(self._run, progress, since)
            progress = self._thread.run(update)
            yield progress

    def failures(self) -> Failures:
        """What failed so far: the first subtasks of them, and how many `more`.

        Once the run has ended it waits, for some seconds at most, until all is known.
        """
        return self._thread.run(self._run.failures())

    def paused(self) -> list[Paused]:
        """What of it is paused; fix the cause, and `resume`."""
        return self._thread.run(self._run.paused())

    def cancel(self) -> None:
        """Cancel it, and all that it has called; `Refused` if it has ended."""
        self._thread.run(self._run.cancel())

    def pause(self) -> None:
        """Start no more subtasks until `resume`.

        Those that are executing go on to their end. All that starts subtasks is paused
        when this returns.

        Raises:
            Refused: It has ended or not begun, or not all of it could be paused.
        """
        self._thread.run(self._run.pause())

    def resume(self) -> None:
        """Go on with what is paused of it; `Refused` if nothing is."""
        self._thread.run(self._run.resume())


class Client:
    """A restate-server, as a program sees it that submits and follows runs.

    Args:
        ingress: The URL of its ingress; by default as `Settings` say.
        admin: The URL of its admin API.

    What it asks is asked again when nobody answers, if that is safe: reading, and a
    submit that has an idempotency key. Each method raises `Unreachable` in the end.
    """

    def __init__(self, ingress: str | None = None, admin: str | None = None) -> None:
        self._server = Server.at(ingress, admin)
        self._thread = EventLoopThread(self._server.http.close)

    @overload
    def submit(
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result],
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
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result] | str,
        task: Task,
        *,
        idempotency_key: str | None = None,
        delay: float | None = None,
    ) -> Run[Result]:
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
        submitted = submit(self._server, codec, task, idempotency_key, delay)
        run = self._thread.run(submitted)
        warn_of_other_task(run, idempotency_key)
        return Run(run, self._thread)

    @overload
    def attach(
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result],
        run_id: str,
    ) -> Run[Result]: ...

    @overload
    def attach(self, fan_out: str, run_id: str) -> Run[JsonValue]: ...

    def attach(
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result] | str,
        run_id: str,
    ) -> Run[Result]:
        """A run that this or another process submitted; asks the server nothing yet."""
        run = AsyncRun(self._server, run_id, codec_of(fan_out).load)
        return Run(run, self._thread)

    @overload
    def run(
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result],
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
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result] | str,
        task: Task,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
    ) -> Result:
        """Submit and wait for the result, for `wait` seconds.

        Raises:
            RunNotFinished: The run continues; `attach` to the error's `run`.
        """
        codec = codec_of(fan_out)
        return self.submit(codec, task, idempotency_key=idempotency_key).result(wait)

    def recent(self, limit: int = 20) -> list[Listed]:
        """The latest runs of fan-outs, the newest first."""
        return self._thread.run(run_state.recent(self._server, limit))

    def register(self, worker: str, *, force: bool = False) -> Registered:
        """Register the worker at the URL `worker`; answer with its services' names.

        Args:
            worker: The URL at which the restate-server reaches the worker.
            force: Replace what the same URL served before, with other handlers; runs
                in flight may then fail to replay.

        Raises:
            RegistrationError: The server refused.
        """
        return self._thread.run(self._server.admin.register(worker, force=force))

    def close(self) -> None:
        """Close the connections."""
        self._thread.close()

    def __enter__(self) -> Self:
        """Use it as a context manager to have it closed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()
