"""`Observation`: the observed events of one random run, and the errors in them."""

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

LAG = 100.0  # seconds to wait for the end of the progress
STATUSES = ("succeeded", "failed", "timed_out", "cancelled")


@dataclass(frozen=True)
class Observation:
    """The observed events of the run of a case.

    Attributes:
        key: The name of the ledger.
        readings: The progress at several times, in order; the last one is final.
        ledger: How often each subtask began, ended and raised.
    """

    case: Case
    key: str
    run: str
    answer: Answer
    readings: Sequence[dict[str, Any]]
    ledger: Counter[tuple[str, int]]

    def __str__(self) -> str:
        return f"{self.case}\n  {self.run}: {self.answer.status} {self.answer.reason}"

    def errors(self) -> Iterator[str]:
        """Yield all errors of the run."""
        model = Reference(self.case)
        yield from model.errors(self.answer)
        yield from self._progress(model)
        yield from self._executed(model)

    def _progress(self, model: Reference) -> Iterator[str]:
        """Counts never decrease, and the final counts are right."""
        for before, after in pairwise(self.readings):
            if any(after[status] < before[status] for status in STATUSES):
                yield f"counts decreased from {counts(before)} to {counts(after)}"
        last = self.readings[-1]
        if last["state"] != ("succeeded" if self.answer.status == 200 else "failed"):
            yield f"the final state is {last['state']}"
        if last["total"] not in (None, model.count):
            yield f"the total is {last['total']}, not {model.count}"
        if last["total"] is not None and sum(counts(last)) != model.count:
            yield f"the sum of {counts(last)} is not {model.count}"
        yield from self._counted(model, last)

    def _counted(self, model: Reference, last: dict[str, Any]) -> Iterator[str]:
        """Each outcome is counted, even if the run does not need the outcome."""
        failed = Counter(status for _, status, _, _ in self.answer.failures)
        reported = (len(self.answer.values), failed["failed"], failed["timed_out"])
        is_complete = self.answer.reason == "ALL_COMPLETED"
        found = counts(last)[:3]
        if any(a < b for a, b in zip(found, reported, strict=True)):
            yield f"{found} succeeded, failed, timed out: fewer than {reported}"
        if is_complete and found != reported:
            yield f"{found} succeeded, failed, timed out: not {reported}"
        ended = sum(event == "ended" for event, _ in self.ledger) + len(model.known)
        if last["succeeded"] > ended:
            yield f"{last['succeeded']} have succeeded, but only {ended} have ended"
        if last["failed"] > len(model.bad):
            yield f"{last['failed']} have failed, but only {len(model.bad)} can fail"

    def _executed(self, model: Reference) -> Iterator[str]:
        """The number of executions of each subtask agrees with its outcome."""
        began = {i: n for (event, i), n in self.ledger.items() if event == "began"}
        exact = not self.case.is_timed
        settled = {*self.answer.values, *(each[0] for each in self.answer.failures)}
        for index in range(model.count):
            times = began.get(index, 0)
            expected = 0 if index in model.known else model.executions(index)
            most = expected if exact else max(expected, self.case.max_attempts)
            is_final = index in settled - _cancelled(self.answer)
            least = expected if exact and is_final else 0
            if not least <= times <= most:
                yield f"{index} was executed {times} times, not {expected}"


def _cancelled(answer: Answer) -> set[int]:
    return {index for index, status, _, _ in answer.failures if status == "cancelled"}


def counts(reading: dict[str, Any]) -> tuple[int, ...]:
    return tuple(reading[status] for status in STATUSES)


def observed(server: Server, case: Case) -> Observation:
    """Run a case, and observe the run until the progress is final."""
    key = uuid4().hex
    run = server.send(case.service, case.task(key))["invocationId"]
    readings: list[dict[str, Any]] = []
    deadline = time.monotonic() + LONG  # without progress
    while (answer := _answer(server, run)) is None and time.monotonic() < deadline:
        reading = progress(server, run)
        if reading and reading not in readings[-1:]:
            readings.append(reading)
            deadline = time.monotonic() + LONG
    final = final_progress(server, run)
    answer = answer or Answer(0)
    return Observation(case, key, run, answer, [*readings, final], ledger(server, key))


def ledger(server: Server, key: str) -> Counter[tuple[str, int]]:
    """How often each subtask began, ended and raised."""
    lines = server.run("RandomLedger", key).json()
    return Counter((event, int(index)) for event, index in map(str.split, lines))


def final_progress(server: Server, run: str) -> dict[str, Any]:
    """Wait for the progress of an ended run; after `LAG`, return any progress."""
    deadline = time.monotonic() + LAG
    while (reported := progress(server, run)).get("state", "running") == "running":
        if time.monotonic() > deadline:
            break
        time.sleep(0.3)  # more frequent requests slow down the server
    return reported or {"state": "unknown", "total": None} | dict.fromkeys(STATUSES, 0)


def _answer(server: Server, run: str) -> Answer | None:
    """Return the response of the run, if the run has ended."""
    try:
        url = f"{server.ingress}/restate/attach/{run}"
        answer = HTTP.get(url, timeout=0.3)
    except httpx.TimeoutException:
        return None
    return answer_of(answer)


def answer_of(answer: httpx.Response) -> Answer:
    """How a run ended, from its answer."""
    if answer.is_error:
        return Answer(answer.status_code)
    report = answer.json()
    failures = [tuple(each) for each in report["failures"]]
    return Answer(200, report["values"], failures, report["reason"])
