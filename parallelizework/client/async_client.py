"""`AsyncClient`: submit, follow and control runs from a program with an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, overload

from parallelizework.client import recent_runs
from parallelizework.client.codec import Codec, Result, Subtask, Task, Value, codec_of
from parallelizework.client.run import AsyncRun, warn_of_other_task
from parallelizework.client.schedules.async_schedules import AsyncSchedules
from parallelizework.client.server_api.ingress import Options
from parallelizework.client.server_api.server import Server
from parallelizework.client.steering import answer
from parallelizework.client.steering import notify as notify_
from parallelizework.client.steering.notify import Receivers
from parallelizework.client.submission import submit
from parallelizework.errors import RunNotFinished
from parallelizework.notifications.receivers import listed

if TYPE_CHECKING:
    from pydantic import JsonValue

    from parallelizework.client.models import Listed
    from parallelizework.client.server_api.deployments import Registered
    from parallelizework.fan_out import FanOut
    from parallelizework.progress.labels import Labels
    from parallelizework.waiting.models import Answered


class AsyncClient:
    """Submits, follows and controls runs on a restate-server, without blocking.

    Use it in one event loop. Close it at the end, or use it in an `async with`
    statement.

    Every method that sends a request raises `Unreachable` if no server answers. Before
    that, it sends the request again, if this is safe: a request that only reads, or a
    `submit` with an idempotency key.

    Args:
        ingress: The URL of the server's ingress. By default, the value of
            `PARALLELIZEWORK_INGRESS_URL`, or `http://localhost:8080`.
        admin: The URL of the server's admin API. By default, the value of
            `PARALLELIZEWORK_ADMIN_URL`, or `http://localhost:9070`.

    Examples:
        >>> async with AsyncClient() as client:
        ...     run = await client.submit("FanOutWorker", {"description": "make tea"})
        ...     print(await run.result(timeout=60))
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
        labels: Labels | None = None,
        notify: Receivers = (),
    ) -> AsyncRun[Result]: ...

    @overload
    async def submit(
        self,
        fan_out: str,
        task: JsonValue,
        *,
        idempotency_key: str | None = None,
        delay: float | None = None,
        labels: Labels | None = None,
        notify: Receivers = (),
    ) -> AsyncRun[JsonValue]: ...

    async def submit(  # noqa: PLR0913 - each is one option of a run
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result] | str,
        task: Task,
        *,
        idempotency_key: str | None = None,
        delay: float | None = None,
        labels: Labels | None = None,
        notify: Receivers = (),
    ) -> AsyncRun[Result]:
        """Start a run and return without waiting for it.

        Args:
            fan_out: The `FanOut`, for a typed task and result; or the name of a
                fan-out, for a task and result as JSON values.
            task: The input of the run.
            idempotency_key: All submits with the same key return the same run, for a
                day. If that run has another task, an `OtherTask` warning is issued.
            delay: Start the run after this time, in seconds. By default, it starts at
                once.
            labels: Keys and values by which `recent` finds the run. A key has 1 to 63
                of the characters `A-Z`, `a-z`, `0-9`, `_`, `.` and `-`. A value has
                1 to 256 printable characters. A run has at most 16 labels.
            notify: Who is notified when the run has ended: a `WebhookUrl` or an `Email`
                of `parallelizework.notifications`, or several. By default, nobody.

        Returns:
            The run. Its `is_new` is False if the idempotency key was used before.

        Raises:
            UnknownFanOut: No registered worker serves that fan-out.
            UnfitData: The task does not fit the types of the fan-out. Or the key is
                empty or not printable ASCII, or the delay is negative or longer than
                ten years, or a label is invalid.
            Refused: The server did not accept the task. Or a receiver of `notify`
                cannot be notified; then no run is started.
        """
        codec = codec_of(fan_out)
        options = Options(idempotency_key, delay, labels)
        run = await submit(self._server, codec, task, options, notify)
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
        """Return a run that was submitted before, also by another process.

        This sends no request; an unknown id is an error of the run's methods.

        Args:
            fan_out: The `FanOut`, or the name of a fan-out, as for `submit`.
            run_id: The run's id (`inv_...`).
        """
        return AsyncRun(self._server, run_id, codec_of(fan_out).load)

    @overload
    async def run(
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result],
        task: Task,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
        labels: Labels | None = None,
    ) -> Result: ...

    @overload
    async def run(
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result],
        task: Task,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
        labels: Labels | None = None,
        then: Receivers,
    ) -> Result | AsyncRun[Result]: ...

    @overload
    async def run(
        self,
        fan_out: str,
        task: JsonValue,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
        labels: Labels | None = None,
    ) -> JsonValue: ...

    @overload
    async def run(
        self,
        fan_out: str,
        task: JsonValue,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
        labels: Labels | None = None,
        then: Receivers,
    ) -> JsonValue | AsyncRun[JsonValue]: ...

    async def run(  # noqa: PLR0913 - each is one option of a run
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result] | str,
        task: Task,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
        labels: Labels | None = None,
        then: Receivers = (),
    ) -> Result | AsyncRun[Result]:
        """Start a run, wait for its result and return the result.

        With `then`, a run that takes longer is returned, and its end is reported to
        receivers.

        Args:
            fan_out: The `FanOut`, or the name of a fan-out, as for `submit`.
            task: The input of the run.
            wait: The longest time to wait for the result, in seconds; None for no
                limit.
            idempotency_key: As for `submit`.
            labels: As for `submit`.
            then: Who is notified when the run has ended, if it does not end within
                `wait`: as `notify` of `submit`. By default, nobody.

        Returns:
            The result, in the result type of the fan-out. With `then`, the run, if it
            did not end within `wait`.

        Raises:
            RunFailed: The run ended without a result.
            RunNotFinished: The run did not end within `wait`, and there is no `then`.
                The run continues. The error's `run` is the id for `attach`.
            UnknownFanOut: No registered worker serves that fan-out.
            UnfitData: The task or the result does not fit the types of the fan-out. Or
                the key is empty or not printable ASCII, or a label is invalid.
            Refused: The server did not accept the task. Or a receiver of `then` cannot
                be notified; then no run is started.
        """
        codec = codec_of(fan_out)
        receivers = listed(then)
        await notify_.check(self._server, receivers)
        run = await self.submit(
            codec, task, idempotency_key=idempotency_key, labels=labels
        )
        try:
            return await run.result(wait)
        except RunNotFinished:
            if not receivers:
                raise
        await notify_.notify(self._server, run.id, receivers, codec.name)
        return run

    async def recent(
        self, limit: int = 20, *, labels: Labels | None = None
    ) -> list[Listed]:
        """Return the latest runs of all fan-outs, the newest first.

        Args:
            limit: The largest number of runs to return.
            labels: Return only runs that have all of these labels, each with this
                value.

        Raises:
            UnfitData: A label is invalid.
        """
        return await recent_runs.recent(self._server, limit, labels)

    @property
    def schedules(self) -> AsyncSchedules:
        """The schedules of the server."""
        return AsyncSchedules(self._server)

    async def answer(self, key: str, value: object) -> Answered:
        """Answer a subtask that waits: it succeeds with a value.

        An answer may come before the subtask waits. The first answer counts.

        Args:
            key: The key of the subtask: `attempt.key`, or `key` of `Run.waiting`.
            value: The value, of the type that `execute` returns: a model, a dataclass
                or a JSON value.

        Raises:
            UnfitData: The value does not fit the type.
            Refused: The key is not a key of a subtask; or the subtask has another
                answer, or has ended without one.
        """
        return await answer.succeed(self._server, key, value)

    async def answer_failure(
        self, key: str, message: str, *, code: int = 500
    ) -> Answered:
        """Answer a subtask that waits: it fails.

        Args:
            key: The key of the subtask.
            message: Why the subtask fails.
            code: The code of the failure: an HTTP status, 400 to 599.

        Raises:
            UnfitData: The code is out of its range.
            Refused: As for `answer`.
        """
        return await answer.fail(self._server, key, message, code)

    async def register(self, worker: str, *, force: bool = False) -> Registered:
        """Register the worker at a URL with the restate-server.

        Args:
            worker: The URL at which the restate-server reaches the worker.
                On AWS Lambda, the ARN of a version of the function.
            force: Replace what the same URL served before. Runs in flight may fail if
                the handlers of the worker have changed.

        Returns:
            The names of the services that the worker serves.

        Raises:
            RegistrationError: The server refused to register the worker.
        """
        return await self._server.admin.register(worker, force=force)

    async def close(self) -> None:
        """Close all connections."""
        await self._server.http.close()

    async def __aenter__(self) -> Self:
        """Return the client; the `with` block closes it at its end."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self.close()
