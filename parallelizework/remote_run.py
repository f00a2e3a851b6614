"""`RemoteRun`: one run on a restate-server, and all that can be asked of it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from time import monotonic
from typing import Generic, TypeVar

from parallelizework.admin import Admin
from parallelizework.answers import FailedSubtask, Invocation, Listed, Progress
from parallelizework.codec import Codec
from parallelizework.errors import (
    ClientError,
    Refused,
    RunNotFinished,
    UnknownFanOut,
    UnknownRun,
    Unreachable,
)
from parallelizework.exchange import Exchange
from parallelizework.ingress import Ingress
from parallelizework.settings import Settings

Task = TypeVar("Task")
Result = TypeVar("Result")
T = TypeVar("T")

_ID = re.compile(r"inv_[A-Za-z0-9]+")
_TURN = 60.0  # seconds of one attach; idle connections are cut after a while
_COORDINATORS = ("/run", "/runSegment")
_LAST_TURNS, _LAST_TURN = 30, 0.1  # an update takes some ms to arrive; some s at worst
_PAUSE_TURNS, _PAUSE_TURN = 20, 0.1  # an order to pause is obeyed within a moment


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
            run = yield from self.ingress.submit(
                codec.name, body, idempotency_key, delay
            )
        except UnknownFanOut as error:
            hint = yield from self._hint(codec.name)
            raise UnknownFanOut(f"{error}; {hint}") from None
        return RemoteRun(self, run, codec.load)

    def recent(self, limit: int) -> Exchange[list[Listed]]:
        """The latest runs of all fan-outs, the newest first."""
        names = yield from self.admin.fan_outs()
        listed: list[Listed] = []
        for invocation in (yield from self.admin.recent(names, limit)):
            progress = None
            if invocation.state != "scheduled":
                progress = yield from _tried(self.ingress.progress(invocation.id))
            known = invocation.correct(progress) if progress else invocation.alone()
            listed.append(Listed.of(invocation, known))
        return listed

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
    """The run `id`, whose result `load` reads."""

    server: Server
    id: str
    load: Callable[[bytes], Result]

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
        known = yield from self._both()
        for _turn in range(_LAST_TURNS):
            if isinstance(known, Progress):
                return known
            yield _LAST_TURN  # its last update is on its way
            known = yield from self._both()
        return known if isinstance(known, Progress) else known.alone()

    def _both(self) -> Exchange[Progress | Invocation]:
        """Its progress; or, if that lags behind its end, what Restate knows of it."""
        progress = yield from self.server.ingress.progress(self.id)
        if progress and progress.ended:
            return progress
        try:
            invocation = yield from self.server.admin.invocation(self.id)
        except (UnknownRun, Unreachable):
            if progress:
                return progress
            raise
        if invocation.ended and not invocation.killed:
            return invocation
        return invocation.correct(progress) if progress else invocation.alone()

    def failures(self) -> Exchange[list[FailedSubtask]]:
        """The first of the subtasks that failed."""
        self._check()
        failures = yield from self.server.ingress.failures(self.id)
        if failures is None:
            yield from self.server.admin.invocation(self.id)  # or it is unknown
        return failures or []

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
            Refused: It has ended, or waits for subtasks, which Restate cannot pause.
        """
        self._check()
        for _turn in range(_PAUSE_TURNS):
            running = yield from self._coordinators("running")
            if not running and (yield from self._coordinators("paused")):
                return
            for coordinator in running or [self.id]:
                yield from self._pause(coordinator)
            yield _PAUSE_TURN
        raise Refused(
            f"{self.id} only waits for subtasks now, and Restate pauses what is "
            "running: try again when one of them has ended"
        )

    def resume(self) -> Exchange[None]:
        """Go on with what is paused: the run, its parts, its subtasks.

        Raises:
            Refused: Nothing of it is paused.
        """
        self._check()
        paused = [
            member["id"]
            for member in (yield from self.server.admin.family(self.id))
            if member["status"] == "paused"
        ]
        if not paused:
            yield from self.server.admin.invocation(self.id)  # or it is unknown
            raise Refused(f"nothing of {self.id} is paused")
        for member in paused:
            yield from self.server.admin.order(member, "resume")

    def _pause(self, coordinator: str) -> Exchange[None]:
        try:
            yield from self.server.admin.order(coordinator, "pause")
        except (Refused, UnknownRun):
            if coordinator == self.id:
                raise  # a part of it may have ended meanwhile

    def _coordinators(self, status: str) -> Exchange[list[str]]:
        return [
            member["id"]
            for member in (yield from self.server.admin.family(self.id))
            if member["status"] == status and member["target"].endswith(_COORDINATORS)
        ]

    def _check(self) -> None:
        if not _ID.fullmatch(self.id):
            raise UnknownRun(f"{self.id!r} is no run's id; they begin with inv_")


def _tried(exchange: Exchange[T]) -> Exchange[T | None]:
    try:
        return (yield from exchange)
    except ClientError:
        return None
