"""`judge`: whether a history is one that parallelizework allows. Pure.

No rule is about durations: whether an event is allowed follows from the events before.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from tests.faults.history import Execution, Fault, History, Reading, Run

Kind = Literal[
    "hanging",  # a run without an answer, or all of them
    "lost",  # an outcome that should be in a result
    "duplicated",  # an outcome, or an answer, that is there twice and differs
    "wrong",  # an answer that is none, or has what cannot be in it
    "unexplained",  # an execution beyond one that nothing had cut off
    "again",  # an execution of what had ended already
    "progress",  # counts that are not exact
    "left",  # an invocation that has not ended
]


@dataclass(frozen=True)
class Violation:
    """Something that must not happen."""

    kind: Kind
    run: str
    about: str


@dataclass(frozen=True)
class Verdict:
    """What is to be said of a history.

    Attributes:
        repeated: Executions beyond one that a fault explains, by its kind.
    """

    violations: Sequence[Violation]
    repeated: Counter[str]

    def count(self, kind: Kind) -> int:
        """How many violations there are of a kind."""
        return sum(violation.kind == kind for violation in self.violations)


def judge(history: History) -> Verdict:
    """Return all violations of a history, and the executions that faults repeated."""
    violations = [Violation("left", "", about) for about in history.left]
    violations += [
        Violation("hanging", "", f"nothing went on after {fault}")
        for fault in history.faults
        if not fault.is_repaired
    ]
    repeated: Counter[str] = Counter()
    for run in history.runs:
        seen = Seen(run, history.executions.get(run.name, ()), history.faults)
        again, unexplained = seen.repeated()
        for fault, subtasks in again.items():
            repeated[fault.kind] += subtasks
        violations += [
            Violation(kind, run.name, about)
            for kind, about in (
                *seen.answered(),
                *unexplained,
                *seen.bounded(again),
                *seen.finished(),
                *seen.counted(),
            )
        ]
    return Verdict(violations, repeated)


Wrong = tuple[Kind, str]


class Seen:
    """What was seen of one run; each method is a rule."""

    def __init__(
        self, run: Run, executions: Sequence[Execution], faults: Sequence[Fault]
    ) -> None:
        self._run = run
        self._executions = executions
        self._faults = faults
        self._ended = _first(executions, "ended")
        self._raised = _first(executions, "raised")

    def answered(self) -> Iterator[Wrong]:
        """All answers of a run are equal and correct."""
        run = self._run
        if not run.answers:
            yield "hanging", "it has no answer"
            return
        answer = run.answers[0]
        for other in run.answers:
            if replace(other, at=answer.at) != answer:
                yield "duplicated", "it was answered twice, and differently"
        if answer.error:
            yield "wrong", answer.error
            return
        yield from self._values(answer.values)
        if run.enough is None and list(answer.failed) != sorted(run.failing):
            yield "wrong", f"the failures {_some(answer.failed)}"

    def _values(self, values: Sequence[int]) -> Iterator[Wrong]:
        run = self._run
        due = set(range(run.subtasks)) - run.failing
        missing = (
            len(due - set(values)) if run.enough is None else run.enough - len(values)
        )
        if missing > 0:
            yield "lost", f"{missing} values are not in its result"
        if twice := [i for i, times in Counter(values).items() if times > 1]:
            yield "duplicated", f"the values of {_some(twice)}"
        if strange := [i for i in set(values) if i not in due or i not in self._ended]:
            yield "wrong", f"values of {_some(strange)}, which gave none"
        if list(values) != sorted(values):
            yield "wrong", "its values are not in order"
        if run.enough is not None and missing < 0:
            yield "wrong", f"{-missing} values more than were asked for"

    def repeated(self) -> tuple[Counter[Fault], list[Wrong]]:
        """An execution beyond one has a cause: an error, or a fault that cut it off.

        Returns:
            How many subtasks each fault had executed again; and those without a cause.
        """
        again: Counter[Fault] = Counter()
        wrong: list[Wrong] = []
        for index, executions in _by_subtask(self._executions).items():
            for before, after in pairwise(executions):
                if before.raised and before.raised <= after.began:
                    continue
                if fault := self._cause(before, after):
                    again[fault] += 1
                else:
                    about = f"subtask {index} was executed again at {after.began:.3f}"
                    wrong.append(("unexplained", about))
        return again, wrong

    def _cause(self, before: Execution, after: Execution) -> Fault | None:
        causes = [
            fault
            for fault in self._faults
            if fault.cuts(before.process, before.began, after.began)
        ]
        for fault in causes:
            if before.began <= fault.since:
                return fault  # rather than one that was just being repaired
        if causes:
            return causes[0]
        # A worker that has lost the server may still begin what it had been sent.
        for lost in (before, after):
            for fault in reversed(self._faults):
                if lost.cut_off and fault.cuts(lost.process, 0, lost.cut_off):
                    return fault
        return None

    def bounded(self, again: Counter[Fault]) -> Iterator[Wrong]:
        """A fault repeats at most the executions that were in flight."""
        for fault, subtasks in again.items():
            if subtasks > self._run.slots:
                about = f"{fault.kind} repeated {subtasks}, of {self._run.slots} slots"
                yield "unexplained", about

    def finished(self) -> Iterator[Wrong]:
        """A subtask that has ended is no longer executed."""
        last = sorted(
            executions[-1].began
            for executions in _by_subtask(self._executions).values()
        )
        for reading in self._run.readings:
            later = len(last) - bisect_right(last, reading.at)
            if later > self._run.subtasks - reading.settled:
                yield "again", f"{later} executed after {reading}"
        for answer in self._run.answers[:1]:
            if later := len(last) - bisect_right(last, answer.at):
                yield "again", f"{later} executed after its answer"

    def counted(self) -> Iterator[Wrong]:
        """Progress counts each outcome once, and at the end all outcomes."""
        run, readings = self._run, self._run.readings
        ended, raised = sorted(self._ended.values()), sorted(self._raised.values())
        for reading in readings:
            if (
                reading.succeeded > bisect_right(ended, reading.at)
                or reading.failed > bisect_right(raised, reading.at)
                or reading.total not in (None, run.subtasks)
                or reading.settled > run.subtasks
            ):
                yield "progress", f"too much: {reading}"
        for before, after in pairwise(readings):
            if after.settled < before.settled:
                yield "progress", f"backwards: {before}, {after}"
        if run.answers and not run.answers[0].error:
            yield from self._final(readings[-1] if readings else None)

    def _final(self, reading: Reading | None) -> Iterator[Wrong]:
        """A run that ends early also counts subtasks whose outcome is not returned."""
        run, answer = self._run, self._run.answers[0]
        values, failed = len(answer.values), len(answer.failed)
        early = run.enough is not None
        if reading is None or not reading.ended:
            yield "progress", "its end was never reported"
        elif (
            not values <= reading.succeeded <= (len(self._ended) if early else values)
            or not failed <= reading.failed <= (len(self._raised) if early else failed)
            or reading.timed_out
            or reading.settled != run.subtasks
        ):
            yield "progress", f"{reading} at the end of {values} and {failed}"


def _first(executions: Iterable[Execution], end: str) -> dict[int, float]:
    """Return the time at which each subtask first ended in this way."""
    first: dict[int, float] = {}
    for execution in executions:
        if (at := getattr(execution, end)) is not None:
            first[execution.index] = min(at, first.get(execution.index, at))
    return first


def _by_subtask(executions: Iterable[Execution]) -> dict[int, list[Execution]]:
    found: dict[int, list[Execution]] = defaultdict(list)
    for execution in executions:
        found[execution.index].append(execution)
    return found


def _some(indexes: Iterable[int]) -> str:
    shown = sorted(indexes)
    return ", ".join(map(str, shown[:5])) + (", ..." if len(shown) > 5 else "")
