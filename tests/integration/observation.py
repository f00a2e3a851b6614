"""`Observation`: the observed events of one random run, and their errors."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx

from .conftest import HTTP, Server
from .processes import LONG
from .random_cases import Case
from .reference import Answer, Reference
from .test_progress import progress

LAG = 100.0  # seconds after which the end of a run is no longer awaited
STATUSES = ("succeeded", "failed", "timed_out", "cancelled")


@dataclass(frozen=True)
class Observation:
    """What was seen of the run of a case.

    Attributes:
        readings: Of `FanOutProgress`, in order; the last one after its end.
        ledger: How often each subtask began, ended and raised.
    """

    case: Case
    run: str
    answer: Answer
    readings: Sequence[dict[str, Any]]
    ledger: Counter[tuple[str, int]]

    def __str__(self) -> str:
        return f"{self.case}\n  {self.run}: {self.answer.status} {self.answer.reason}"

    def wrong(self) -> Iterator[str]:
        """Return all errors of the run."""
        model = Reference(self.case)
        yield from model.wrong(self.answer)
        yield from self._progress(model)
        yield from self._executed(model)

    def _progress(self, model: Reference) -> Iterator[str]:
        """Counts never go backwards, and agree in the end with what has happened."""
        for before, after in pairwise(self.readings):
            if any(after[status] < before[status] for status in STATUSES):
                yield f"counts went backwards: {counts(before)}, {counts(after)}"
        last = self.readings[-1]
        if last["state"] != ("succeeded" if self.answer.status == 200 else "failed"):
            yield f"its state is {last['state']} at the end"
        if last["total"] not in (None, model.count):
            yield f"its total is {last['total']}, not {model.count}"
        if last["total"] is not None and sum(counts(last)) != model.count:
            yield f"{counts(last)} are not all of {model.count}"
        yield from self._counted(model, last)

    def _counted(self, model: Reference, last: dict[str, Any]) -> Iterator[str]:
        """Each execution counts, also if the run no longer needed its outcome."""
        failed = Counter(status for _, status, _, _ in self.answer.failures)
        reported = (len(self.answer.values), failed["failed"], failed["timed_out"])
        is_complete = self.answer.reason == "ALL_COMPLETED"
        found = counts(last)[:3]
        if any(a < b for a, b in zip(found, reported, strict=True)):
            yield f"{found} succeeded, failed, timed out; fewer than {reported}"
        if is_complete and found != reported:
            yield f"{found} succeeded, failed, timed out; not {reported}"
        ended = sum(what == "ended" for what, _ in self.ledger) + len(model.known)
        if last["succeeded"] > ended:
            yield f"{last['succeeded']} have succeeded, but only {ended} have ended"
        if last["failed"] > len(model.bad):
            yield f"{last['failed']} have failed, but only {len(model.bad)} can"

    def _executed(self, model: Reference) -> Iterator[str]:
        """A subtask with an outcome was executed as often as this outcome requires."""
        began = {i: n for (what, i), n in self.ledger.items() if what == "began"}
        exact = not self.case.is_timed
        settled = {*self.answer.values, *(each[0] for each in self.answer.failures)}
        for index in range(model.count):
            times = began.get(index, 0)
            due = 0 if index in model.known else model.executions(index)
            most = due if exact else max(due, self.case.max_attempts)
            least = due if exact and index in settled - _cut_off(self.answer) else 0
            if not least <= times <= most:
                yield f"{index} was executed {times} times, not {due}"


def _cut_off(answer: Answer) -> set[int]:
    return {index for index, status, _, _ in answer.failures if status == "cancelled"}


def counts(reading: dict[str, Any]) -> tuple[int, ...]:
    return tuple(reading[status] for status in STATUSES)


def observed(server: Server, case: Case) -> Observation:
    """Run a case, and observe the run until its progress has ended."""
    key = uuid4().hex
    run = server.send(case.service, case.task(key))["invocationId"]
    readings: list[dict[str, Any]] = []
    deadline = time.monotonic() + LONG  # of what makes no progress
    while (answer := _answer(server, run)) is None and time.monotonic() < deadline:
        reading = progress(server, run)
        if reading and reading not in readings[-1:]:
            readings.append(reading)
            deadline = time.monotonic() + LONG
    reported = eventually_ended(server, run)
    lines = server.run("RandomLedger", key).json()
    ledger = Counter((what, int(index)) for what, index in map(str.split, lines))
    return Observation(case, run, answer or Answer(0), [*readings, reported], ledger)


def eventually_ended(server: Server, run: str) -> dict[str, Any]:
    """Its progress when that says how it ended; or, in the end, what it says."""
    deadline = time.monotonic() + LAG
    while (reported := progress(server, run)).get("state", "running") == "running":
        if time.monotonic() > deadline:
            break
        time.sleep(0.3)  # to ask more often slows down what is asked for
    return reported or {"state": "unknown", "total": None} | dict.fromkeys(STATUSES, 0)


def _answer(server: Server, run: str) -> Answer | None:
    """Return the response of the run, if the run has ended."""
    try:
        url = f"{server.ingress}/restate/attach/{run}"
        answer = HTTP.get(url, timeout=0.3)
    except httpx.TimeoutException:
        return None
    if answer.is_error:
        return Answer(answer.status_code)
    report = answer.json()
    failures = [tuple(each) for each in report["failures"]]
    return Answer(200, report["values"], failures, report["reason"])
