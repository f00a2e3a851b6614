"""`Load`: runs in flight, and their results and progress during faults."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import httpx
from pydantic import JsonValue

from parallelizework.client import Client
from parallelizework.client import Run as Submitted
from parallelizework.errors import ClientError, RunFailed, RunNotFinished, UnknownRun
from tests.faults.fan_outs import WORK, Result, Task, Work
from tests.faults.history import Answer, Reading, Run
from tests.faults.site import Site

_WAIT = 0.5  # seconds to wait for a result in one request
_PAUSES = (0.01, 0.05, 0.2)  # seconds: the durations of subtasks
_PAUSE = 0.1  # seconds between two requests
_ANSWERS = 2  # results to request of each run
_FAR = 100_000  # between the first values of two runs: larger than any run


@dataclass
class Watched:
    """A run that is observed from its submission to its end."""

    site: Site
    work: Work
    task: Task
    answers: list[Answer] = field(default_factory=list[Answer])
    readings: list[Reading] = field(default_factory=list[Reading])

    def follow(self, give_up: threading.Event) -> Run:
        """Request the result until it was returned twice and the progress has ended."""
        with Client(self.site.ingress, self.site.admin) as client:
            while not give_up.is_set():
                with suppress(ClientError):
                    if self._request(client):
                        break
                time.sleep(_PAUSE)
        expected = self.work.expected(self.task)
        return replace(expected, answers=self.answers, readings=self.readings)

    def _request(self, client: Client) -> bool:
        """Request the progress and the result once; return whether both are final."""
        task = self.task.model_dump(mode="json", exclude_unset=True)
        # Submit each time: the same key must return the same run during any fault.
        name, key = self.work.fan_out.name, self.task.run
        run = client.submit(name, task, idempotency_key=key)
        self._read(run)
        if len(self.answers) < _ANSWERS:
            with suppress(RunNotFinished):
                self.answers.append(self._answer(run))
        is_reported = bool(self.readings) and self.readings[-1].ended
        return is_reported and len(self.answers) == _ANSWERS

    def _answer(self, run: Submitted[JsonValue]) -> Answer:
        try:
            result = Result.model_validate(run.result(timeout=_WAIT))
        except (RunFailed, UnknownRun) as error:
            return Answer(monotonic(), error=str(error))
        values = [value - self.task.first for value in result.values]
        return Answer(monotonic(), values, result.failed, result.stamp)

    def _read(self, run: Submitted[JsonValue]) -> None:
        url = f"{self.site.ingress}/FanOutProgress/{run.id}/get"
        with suppress(httpx.TransportError):
            answer = self.site.http.get(url)
            known: dict[str, Any] = answer.json() if answer.is_success else {}
            if not known and self.answers:  # it succeeded too soon to send any
                known = run.progress().model_dump()
            if not known:
                return  # the run has no progress yet
            counts = ("succeeded", "failed", "timed_out", "cancelled", "total")
            ended = known["state"] != "running"
            reading = {name: known[name] for name in counts}
            self.readings.append(Reading(monotonic(), **reading, ended=ended))


class Load:
    """Keep a number of runs in flight, of each kind in rotation, until `drain`.

    Args:
        tasks: The tasks to submit. The load ends with the last task.
        at_once: The number of runs in flight.
    """

    def __init__(
        self, site: Site, tasks: Iterator[tuple[Work, Task]], at_once: int
    ) -> None:
        self._site = site
        self._tasks = tasks
        self._lock = threading.Lock()
        self._enough = threading.Event()
        self._give_up = threading.Event()
        self._pool = ThreadPoolExecutor(at_once)
        self._clients: list[Future[list[Run]]] = [
            self._pool.submit(self._client) for _ in range(at_once)
        ]

    def drain(self, seconds: float) -> list[Run]:
        """Start no more runs, and wait for the runs in flight; see `ended`."""
        self._enough.set()
        return self.ended(seconds)

    def give_up(self) -> None:
        """Stop waiting."""
        self._enough.set()
        self._give_up.set()

    def ended(self, seconds: float) -> list[Run]:
        """Wait for all runs; a run that takes longer than `seconds` has no answer."""
        clock = threading.Timer(seconds, self._give_up.set)
        clock.start()
        runs = [run for client in self._clients for run in client.result()]
        clock.cancel()
        self._pool.shutdown()
        return runs

    def _client(self) -> list[Run]:
        runs: list[Run] = []
        while not self._enough.is_set():
            with self._lock:
                work, task = next(self._tasks, (None, None))
            if not work or not task:
                break
            runs.append(Watched(self._site, work, task).follow(self._give_up))
        return runs


def tasks(
    ledger: Path, random: Random, kinds: Sequence[str] = tuple(WORK), prefix: str = ""
) -> Iterator[tuple[Work, Task]]:
    """Yield tasks of all kinds in rotation, of random sizes, without end."""
    for number in count():
        if number % len(kinds) == 0:
            kinds = random.sample(kinds, len(kinds))
        kind = kinds[number % len(kinds)]
        work = WORK[kind]
        task = Task(
            ledger=ledger,
            run=f"{prefix}{kind}-{number}",
            first=number * _FAR,
            count=random.randint(work.few, work.many),
            pause=random.choice(_PAUSES),
        )
        yield work, work.with_policy(task)
