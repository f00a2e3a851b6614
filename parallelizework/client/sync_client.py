"""`Client`: submit, follow and control runs from a program without an event loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Generic, Self, overload

from parallelizework.client import recent_runs
from parallelizework.client.codec import Codec, Result, Subtask, Task, Value, codec_of
from parallelizework.client.event_loop_thread import EventLoopThread
from parallelizework.client.run import AsyncRun, next_update, warn_of_other_task
from parallelizework.client.schedules.sync_schedules import Schedules
from parallelizework.client.server_api.ingress import Options
from parallelizework.client.server_api.server import Server
from parallelizework.client.steering import answer
from parallelizework.client.steering import notify as notify_
from parallelizework.client.steering.notify import Receivers
from parallelizework.client.submission import submit
from parallelizework.client.subtasks.completed import next_of
from parallelizework.client.subtasks.listed import MAX_SUBTASKS
from parallelizework.client.subtasks.waiting import MAX_WAITING
from parallelizework.errors import RunNotFinished
from parallelizework.notifications.receivers import listed

if TYPE_CHECKING:
    from pydantic import JsonValue

    from parallelizework.client.models import Failures, Listed, Paused, Progress
    from parallelizework.client.server_api.deployments import Registered
    from parallelizework.client.subtasks.completed import CompletedSubtask
    from parallelizework.client.subtasks.listed import Subtasks, SubtaskStatus
    from parallelizework.client.subtasks.waiting import WaitingSubtasks
    from parallelizework.fan_out import FanOut
    from parallelizework.policy import Policy
    from parallelizework.progress.labels import Labels
    from parallelizework.redrive.models import Index
    from parallelizework.waiting.models import Answered


class Run(Generic[Result]):
    """A run on a restate-server.

    `Client.submit` and `Client.attach` return it.

    Every method raises `UnknownRun` if the server has no run with that id, and
    `Unreachable` if no server answers.

    Attributes:
        id: The run's id. Any other process can `attach` to the run with it.
        is_new: Whether `submit` started the run. False for a run from `attach`, and if
            the idempotency key was used before.
    """

    def __init__(self, run: AsyncRun[Result], thread: EventLoopThread) -> None:
        self.id = run.id
        self.is_new = run.is_new
        self._run = run
        self._thread = thread

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the result and return it.

        Args:
            timeout: The longest time to wait, in seconds. By default, wait until the
                run ends; 0 means: do not wait.

        Returns:
            The result, in the result type of the fan-out.

        Raises:
            RunFailed: The run ended without a result.
            RunNotFinished: The run did not end within `timeout`; it continues.
            UnfitData: The result does not fit the types of the fan-out.
        """
        return self._thread.run(self._run.result(timeout))

    def progress(self) -> Progress:
        """Return the progress of the run: its state and the counts of its subtasks."""
        return self._thread.run(self._run.progress())

    def updates(self) -> Iterator[Progress]:
        """Return the progress each time it changes; the last one has the final state.

        The server is asked four times a second at first, and every two seconds after
        three minutes.
        """
        progress, since = None, monotonic()
        while not (progress and progress.ended):
            update = next_update(self._run, progress, since)
            progress = self._thread.run(update)
            yield progress

    def outcomes(self, offset: int = 0) -> Iterator[CompletedSubtask]:
        """Return the outcome of each subtask, in order of completion.

        The iterator ends after the end of the run. The policy of the run must have
        `stream=True`. Outcomes are stored for a day after the end of the run.

        Args:
            offset: Where to continue: the `offset` of the last outcome that was read,
                plus 1.

        Raises:
            Refused: The policy of the run does not have `stream=True`.
        """
        outcomes = self._run.outcomes(offset)
        while (each := self._thread.run(next_of(outcomes))) is not None:
            yield each

    def failures(self) -> Failures:
        """Return the subtasks that have failed so far.

        Returns:
            A list of the first failures. Its attribute `more` counts all others.
        """
        return self._thread.run(self._run.failures())

    def paused(self) -> list[Paused]:
        """Return the calls of the run that are paused, each with its error.

        Fix the cause of an error, then call `resume`.
        """
        return self._thread.run(self._run.paused())

    def subtasks(
        self, status: SubtaskStatus | None = None, *, limit: int = MAX_SUBTASKS
    ) -> Subtasks:
        """Return the subtasks of the run, one by one, as far as they are known.

        While the run executes, these are the subtasks that have not ended, and those
        that failed. Of those that succeeded, only the number is known.

        Args:
            status: Return only subtasks with this status. By default, return all.
            limit: Return at most this many. Subtasks with an error come first then.

        Returns:
            A list in the order of the split. Its attribute `more` counts all others,
            and its attribute `progress` has the number of subtasks by outcome.
        """
        return self._thread.run(self._run.subtasks(status, limit=limit))

    def waiting(self, *, limit: int = MAX_WAITING) -> WaitingSubtasks:
        """Return the subtasks that wait for an answer from outside.

        Args:
            limit: Return at most this many: those that wait for the longest time.

        Returns:
            A list in the order of the split. Its attribute `more` counts all others.
        """
        return self._thread.run(self._run.waiting(limit=limit))

    def cancel(self) -> None:
        """Cancel the run and all its calls.

        This does not wait until the run has ended.

        Raises:
            Refused: The run has ended.
        """
        self._thread.run(self._run.cancel())

    def pause(self) -> None:
        """Pause the run: it starts no more subtasks until `resume`.

        Subtasks that are executing continue to their end. When this returns, all
        coordinators of the run are paused.

        Raises:
            Refused: The run has ended, or it has not begun. Or some coordinators could
                not be paused within 60 seconds.
        """
        self._thread.run(self._run.pause())

    def resume(self) -> None:
        """Resume all paused calls of the run.

        Raises:
            Refused: Nothing of the run is paused.
        """
        self._thread.run(self._run.resume())

    def redrive(
        self,
        policy: Policy | None = None,
        *,
        failed_only: bool = False,
        indexes: Sequence[Index] | None = None,
    ) -> Run[Result]:
        """Redrive the run: execute what has no value, and aggregate all values.

        The redrive uses the code that is registered now. If the run is being redriven
        already, that redrive is returned. A run that is held executes what has no value
        itself.

        Args:
            policy: The fields of the policy that the redrive overrides.
            failed_only: Leave out subtasks that were cancelled or never started.
            indexes: Execute these subtasks only. With `expand`, an index is a pair: the
                index of the shard, and the index in the shard.

        Returns:
            The redrive. It is a new run, unless this run is held.

        Raises:
            NotRedrivable: The run has succeeded or has not ended; or nothing is kept of
                it.
        """
        redrive = self._run.redrive(policy, failed_only=failed_only, indexes=indexes)
        return Run(self._thread.run(redrive), self._thread)

    def settle(self) -> None:
        """Let the run end now, if it is held.

        Raises:
            NotRedrivable: The run is not held.
        """
        self._thread.run(self._run.settle())

    def notify(self, to: Receivers) -> None:
        """Notify receivers when the run has ended, or at once if it has ended.

        Args:
            to: A `WebhookUrl` or an `Email` of `parallelizework.notifications`, or
                several.

        Raises:
            Refused: No worker serves `FanOutNotify`, or a receiver cannot be notified.
        """
        self._thread.run(self._run.notify(to))


class Client:
    """Submits, follows and controls runs on a restate-server; each method blocks.

    Several threads may use one client. Close it at the end, or use it in a `with`
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
        >>> with Client() as client:
        ...     run = client.submit("FanOutWorker", {"description": "make coffee"})
        ...     print(run.result(timeout=60))
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
        labels: Labels | None = None,
        notify: Receivers = (),
    ) -> Run[Result]: ...

    @overload
    def submit(
        self,
        fan_out: str,
        task: JsonValue,
        *,
        idempotency_key: str | None = None,
        delay: float | None = None,
        labels: Labels | None = None,
        notify: Receivers = (),
    ) -> Run[JsonValue]: ...

    def submit(  # noqa: PLR0913 - each is one option of a run
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result] | str,
        task: Task,
        *,
        idempotency_key: str | None = None,
        delay: float | None = None,
        labels: Labels | None = None,
        notify: Receivers = (),
    ) -> Run[Result]:
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
        submitted = submit(self._server, codec, task, options, notify)
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
        """Return a run that was submitted before, also by another process.

        This sends no request; an unknown id is an error of the run's methods.

        Args:
            fan_out: The `FanOut`, or the name of a fan-out, as for `submit`.
            run_id: The run's id (`inv_...`).
        """
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
        labels: Labels | None = None,
    ) -> Result: ...

    @overload
    def run(
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result],
        task: Task,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
        labels: Labels | None = None,
        then: Receivers,
    ) -> Result | Run[Result]: ...

    @overload
    def run(
        self,
        fan_out: str,
        task: JsonValue,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
        labels: Labels | None = None,
    ) -> JsonValue: ...

    @overload
    def run(
        self,
        fan_out: str,
        task: JsonValue,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
        labels: Labels | None = None,
        then: Receivers,
    ) -> JsonValue | Run[JsonValue]: ...

    def run(  # noqa: PLR0913 - each is one option of a run
        self,
        fan_out: FanOut[Task, Subtask, Value, Result] | Codec[Task, Result] | str,
        task: Task,
        *,
        wait: float | None = 30.0,
        idempotency_key: str | None = None,
        labels: Labels | None = None,
        then: Receivers = (),
    ) -> Result | Run[Result]:
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
        self._thread.run(notify_.check(self._server, receivers))
        run = self.submit(codec, task, idempotency_key=idempotency_key, labels=labels)
        try:
            return run.result(wait)
        except RunNotFinished:
            if not receivers:
                raise
        notified = notify_.notify(self._server, run.id, receivers, codec.name)
        self._thread.run(notified)
        return run

    def recent(self, limit: int = 20, *, labels: Labels | None = None) -> list[Listed]:
        """Return the latest runs of all fan-outs, the newest first.

        Args:
            limit: The largest number of runs to return.
            labels: Return only runs that have all of these labels, each with this
                value.

        Raises:
            UnfitData: A label is invalid.
        """
        return self._thread.run(recent_runs.recent(self._server, limit, labels))

    @property
    def schedules(self) -> Schedules:
        """The schedules of the server."""
        return Schedules(self._server, self._thread)

    def answer(self, key: str, value: object) -> Answered:
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
        return self._thread.run(answer.succeed(self._server, key, value))

    def answer_failure(self, key: str, message: str, *, code: int = 500) -> Answered:
        """Answer a subtask that waits: it fails.

        Args:
            key: The key of the subtask.
            message: Why the subtask fails.
            code: The code of the failure: an HTTP status, 400 to 599.

        Raises:
            UnfitData: The code is out of its range.
            Refused: As for `answer`.
        """
        return self._thread.run(answer.fail(self._server, key, message, code))

    def register(self, worker: str, *, force: bool = False) -> Registered:
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
        return self._thread.run(self._server.admin.register(worker, force=force))

    def close(self) -> None:
        """Close all connections."""
        self._thread.close()

    def __enter__(self) -> Self:
        """Return the client; the `with` block closes it at its end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self.close()
