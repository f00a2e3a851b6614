"""`Load`: runs in flight, and what is seen of each while things break."""

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

import httpx
from pydantic import JsonValue

from parallelizework.client import Client
from parallelizework.client import Run as Submitted
from parallelizework.errors import ClientError, RunFailed, RunNotFinished, UnknownRun
from tests.faults.fan_outs import WORK, Result, Task, Work
from tests.faults.history import Answer, Reading, Run
from tests.faults.site import Site

_LOOK = 0.5  # seconds that a look waits for a result
_PAUSES = (0.01, 0.05, 0.2)  # seconds that a subtask takes
_PAUSE = 0.1  # seconds between two looks
_ANSWERS = 2  # how often each run is asked for its result
_FAR = 100_000  # between the first values of two runs: more than either has subtasks


@dataclass
class Watched:
    """A run that is followed from its submission to its end."""

    site: Site
    work: Work
    task: Task
    answers: list[Answer] = field(default_factory=list[Answer])
    readings: list[Reading] = field(default_factory=list[Reading])

    def follow(self, give_up: threading.Event) -> Run:
        """Ask for the result until it was returned twice and the progress has ended."""
        with Client(self.site.ingress, self.site.admin) as client:
            while not give_up.is_set():
                with suppress(ClientError):
                    if self._look(client):
                        break
                time.sleep(_PAUSE)
        expected = self.work.expected(self.task)
        return replace(expected, answers=self.answers, readings=self.readings)

    def _look(self, client: Client) -> bool:
        """Ask once for all that may be known now; whether that was the end."""
        task = self.task.model_dump(mode="json", exclude_unset=True)
        # Again each time: the same key must give the same run, whatever breaks.
        name, key = self.work.fan_out.name, self.task.run
        run = client.submit(name, task, idempotency_key=key)
        self._read(run.id)
        if len(self.answers) < _ANSWERS:
            with suppress(RunNotFinished):
                self.answers.append(self._answer(run))
        is_told = bool(self.readings) and self.readings[-1].ended
        return is_told and len(self.answers) == _ANSWERS

    def _answer(self, run: Submitted[JsonValue]) -> Answer:
        try:
            result = Result.model_validate(run.result(timeout=_LOOK))
        except (RunFailed, UnknownRun) as error:
            return Answer(monotonic(), error=str(error))
        values = [value - self.task.first for value in result.values]
        return Answer(monotonic(), values, result.failed, result.stamp)

    def _read(self, run: str) -> None:
        url = f"{self.site.ingress}/FanOutProgress/{run}/get"
        with suppress(httpx.TransportError):
            answer = self.site.http.get(url)
            if not answer.is_success:
                return  # it has only just begun
            known = answer.json()
            counts = ("succeeded", "failed", "timed_out", "cancelled", "total")
            ended = known["state"] != "running"
            reading = {name: known[name] for name in counts}
            self.readings.append(Reading(monotonic(), **reading, ended=ended))


class Load:
    """Keeps a number of runs in flight, of each kind in rotation, until it is drained.

    Args:
        tasks: What to do, until there is no more.
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
        """Start no more runs, and wait for the ends of those in flight; see `ended`."""
        self._enough.set()
        return self.ended(seconds)

    def give_up(self) -> None:
        """Stop waiting."""
        self._enough.set()
        self._give_up.set()

    def ended(self, seconds: float) -> list[Run]:
        """All runs, when there is none to start; what takes longer has no answer."""
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
    """Tasks of all kinds in turn, of random sizes, without an end."""
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
        yield work, work.finished(task)
