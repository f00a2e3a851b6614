"""`RemoteRun`: one run on a restate-server, and all that can be asked of it."""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from time import monotonic
from typing import Any, Generic, TypeVar

from parallelizework.client import looks, steering
from parallelizework.client.admin import Admin
from parallelizework.client.answers import Failures, Listed, Paused, Progress
from parallelizework.client.codec import Codec
from parallelizework.client.exchange import Exchange
from parallelizework.client.ingress import Ingress
from parallelizework.client.stalls import paused
from parallelizework.client.tables import Tables
from parallelizework.errors import (
    ClientError,
    OtherTask,
    RunNotFinished,
    UnknownFanOut,
    UnknownRun,
)
from parallelizework.settings import Settings

Task = TypeVar("Task")
Result = TypeVar("Result")
T = TypeVar("T")

_ID = re.compile(r"inv_[A-Za-z0-9]+")
_TURN = 60.0  # seconds of one attach; idle connections are cut after a while
_OFTEN, _SELDOM = 0.25, 2.0  # seconds between looks: at first, and in a long run
_SHARE = 0.01  # of the time it has taken: a look a second after 100 s


@dataclass(frozen=True)
class Server:
    """The two addresses of a restate-server."""

    ingress: Ingress
    admin: Admin

    def submit(
        self,
        codec: Codec[Task, Result],
        task: Task,
        idempotency_key: str | None,
        delay: float | None,
    ) -> Exchange["RemoteRun[Result]"]:
        """Start a run, in `delay` seconds.

        Raises:
            UnknownFanOut: Nothing of that name is served; it has the nearest names.
        """
        body = codec.dump(task)
        try:
            submitted = yield from self.ingress.submit(
                codec.name, body, idempotency_key, delay
            )
        except UnknownFanOut as error:
            hint = yield from self._hint(codec.name)
            raise UnknownFanOut(f"{error}; {hint}") from None
        differs = not submitted.is_new and (
            yield from self._differs(submitted.run, codec, task, body)
        )
        return RemoteRun(self, submitted.run, codec.load, submitted.is_new, differs)

    def _differs(
        self, run: str, codec: Codec[Task, Any], task: Task, body: bytes
    ) -> Exchange[bool]:
        """Whether a run was surely submitted with another task."""
        inputs = yield from _tried(self.tables.inputs([run], patient=False))
        if not inputs or inputs[run].body == body:
            return False
        try:
            return not codec.is_same(task, inputs[run].body)
        except Exception:  # of a validator, or an __eq__, of the task's own type
            return False

    def recent(self, limit: int) -> Exchange[list[Listed]]:
        """The latest runs of all fan-outs, served or not, the newest first."""
        return looks.recent(self.tables, limit)

    @property
    def tables(self) -> Tables:
        """Its SQL tables."""
        return Tables(self.admin)

    def _hint(self, name: str) -> Exchange[str]:
        names = yield from _tried(self.admin.fan_outs())
        if not names:
            return "`parallelizework doctor` says what is"
        near = get_close_matches(name, names)
        return f"did you mean {' or '.join(near)}?" if near else ", ".join(names)


def server_at(ingress: str | None = None, admin: str | None = None) -> Server:
    """The server at these URLs, or where the settings say that it is."""
    settings = Settings()
    return Server(
        Ingress((ingress or settings.ingress_url).rstrip("/")),
        Admin((admin or settings.admin_url).rstrip("/")),
    )


@dataclass(frozen=True)
class RemoteRun(Generic[Result]):
    """The run `id`, whose result `load` reads.

    Attributes:
        is_new: It was submitted just now.
        differs: It was submitted before, with the same key and another task.
    """

    server: Server
    id: str
    load: Callable[[bytes], Result]
    is_new: bool = False
    differs: bool = False

    def result(self, timeout: float | None) -> Exchange[Result]:
        """Wait for the result, for `timeout` seconds at most.

        Raises:
            RunNotFinished, RunFailed, UnknownRun, Unreachable: There is none (yet).
        """
        self._check()
        end = None if timeout is None else monotonic() + timeout
        while True:
            left = _TURN if end is None else min(_TURN, end - monotonic())
            body = yield from self.server.ingress.result(self.id, max(left, 0))
            if body is not None:
                return self.load(body)
            if end is not None and monotonic() >= end:
                raise RunNotFinished(self.id)

    def progress(self) -> Exchange[Progress]:
        """How far it is, as FanOutProgress and Restate itself know it.

        Raises:
            UnknownRun, Unreachable: Nobody knows.
        """
        self._check()
        seen = yield from self._last_look()
        if seen.known.state == "scheduled" or (seen.known.ended and seen.is_final):
            return seen.known
        return (yield from looks.noted(self.server.tables, seen.known))

    def changed(self, last: Progress | None, since: float) -> Exchange[Progress]:
        """The next progress that differs from the last one.

        Args:
            since: When this began to be asked, on the monotonic clock.
        """
        while True:
            progress = yield from self.progress()
            if not last or _news(progress) != _news(last):
                return progress
            yield min(max(_OFTEN, (monotonic() - since) * _SHARE), _SELDOM)

    def failures(self) -> Exchange[Failures]:
        """The first of the subtasks that failed, and how many others did."""
        self._check()
        seen = yield from self._last_look()
        if seen.failures is not None or not seen.progress:
            return seen.failures or Failures()
        found = yield from self.server.ingress.failures(self.id)
        return Failures.of(found or [], seen.progress)

    def paused(self) -> Exchange[list[Paused]]:
        """What of it is paused."""
        self._check()
        yield from self.server.tables.invocation(self.id)  # or it is unknown
        return (yield from paused(self.server.tables, self.id))

    def _last_look(self) -> Exchange[looks.Look]:
        return looks.last_look(self.server.tables, self.server.ingress, self.id)

    def cancel(self) -> Exchange[None]:
        """Cancel it and all that it has called.

        Raises:
            Refused: It has ended already.
        """
        self._check()
        yield from self.server.admin.order(self.id, "cancel")

    def pause(self) -> Exchange[None]:
        """Start no more subtasks; those that are executing go on to their end.

        Raises:
            Refused: It has ended, or not all of it could be paused.
        """
        self._check()
        yield from steering.pause(self.server.tables, self.id)

    def resume(self) -> Exchange[None]:
        """Go on with what is paused: the run, its parts, its subtasks.

        Raises:
            Refused: Nothing of it is paused.
        """
        self._check()
        yield from steering.resume(self.server.tables, self.id)

    def _check(self) -> None:
        if not _ID.fullmatch(self.id):
            raise UnknownRun(f"{self.id!r} is no run's id; they begin with inv_")


def _news(progress: Progress) -> Progress:
    """Progress without the time when it was true."""
    return progress.model_copy(update={"updated": None})


def warn_of_other_task(run: RemoteRun[Any], idempotency_key: str | None) -> None:
    """Say so if a run was submitted before, with the same key and another task."""
    if run.differs:
        warnings.warn(
            f"the idempotency key {idempotency_key!r} was used before, with another "
            f"task: {run.id} is the run of that one",
            OtherTask,
            stacklevel=3,
        )


def _tried(exchange: Exchange[T]) -> Exchange[T | None]:
    try:
        return (yield from exchange)
    except ClientError:
        return None
