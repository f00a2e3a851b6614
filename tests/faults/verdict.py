"""`judge`: the violations in a history. Pure.

No rule is about durations. The earlier events determine whether an event is allowed.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from tests.faults.history import Execution, Fault, History, Reading, Run

Kind = Literal[
    "hanging",  # a run without an answer, or a site that does not recover
    "lost",  # an outcome that is missing in a result
    "duplicated",  # an outcome that is returned twice, or two different answers
    "wrong",  # an error, or a result with a wrong outcome
    "unexplained",  # a repeated execution without a cause
    "again",  # an execution of a subtask that had ended
    "progress",  # wrong counts
    "left",  # an invocation that has not ended
]


@dataclass(frozen=True)
class Violation:
    """An event that is not allowed."""

    kind: Kind
    run: str
    about: str


@dataclass(frozen=True)
class Verdict:
    """The violations and the repeated executions in a history.

    Attributes:
        repeated: The number of executions that each kind of fault repeated.
    """

    violations: Sequence[Violation]
    repeated: Counter[str]

    def count(self, kind: Kind) -> int:
        """Return the number of violations of a kind."""
        return sum(violation.kind == kind for violation in self.violations)


def judge(history: History) -> Verdict:
    """Return all violations of a history, and the executions that faults repeated."""
    violations = [Violation("left", "", about) for about in history.left]
    violations += [
        Violation("hanging", "", f"the site did not recover after {fault}")
        for fault in history.faults
        if not fault.is_repaired
    ]
    repeated: Counter[str] = Counter()
    for run in history.runs:
        rules = Rules(run, history.executions.get(run.name, ()), history.faults)
        again, unexplained = rules.repeated()
        repeated.update(fault.kind for fault, _ in again)
        violations += [
            Violation(kind, run.name, about)
            for kind, about in (
                *rules.answered(),
                *unexplained,
                *rules.bounded(again),
                *rules.finished(),
                *rules.counted(),
            )
        ]
    return Verdict(violations, repeated)


Error = tuple[Kind, str]


class Rules:
    """The rules for one run; each method yields the violations of a rule."""

    def __init__(
        self, run: Run, executions: Sequence[Execution], faults: Sequence[Fault]
    ) -> None:
        self._run = run
        self._executions = executions
        self._faults = faults
        self._ended = _first(executions, "ended")
        self._raised = _first(executions, "raised")

    def answered(self) -> Iterator[Error]:
        """All answers of a run are equal and correct."""
        run = self._run
        if not run.answers:
            yield "hanging", "the run has no answer"
            return
        answer = run.answers[0]
        for other in run.answers:
            if replace(other, at=answer.at) != answer:
                yield "duplicated", "the run has two different answers"
        if answer.error:
            yield "wrong", answer.error
            return
        yield from self._values(answer.values)
        if run.enough is None and list(answer.failed) != sorted(run.failing):
            yield "wrong", f"the failures {_some(answer.failed)}"

    def _values(self, values: Sequence[int]) -> Iterator[Error]:
        run = self._run
        due = set(range(run.subtasks)) - run.failing
        missing = (
            len(due - set(values)) if run.enough is None else run.enough - len(values)
        )
        if missing > 0:
            yield "lost", f"{missing} values are missing in the result"
        if twice := [i for i, times in Counter(values).items() if times > 1]:
            yield "duplicated", f"the values of {_some(twice)}"
        if strange := [i for i in set(values) if i not in due or i not in self._ended]:
            yield "wrong", f"values of {_some(strange)}, which returned no value"
        if list(values) != sorted(values):
            yield "wrong", "the values are not in order"
        if run.enough is not None and missing < 0:
            yield "wrong", f"{-missing} values more than `min_successful`"

    def repeated(self) -> tuple[list[tuple[Fault, int]], list[Error]]:
        """Each repeated execution has a cause: an error, or a fault that cut it off.

        Returns:
            The fault and the subtask of each repetition; the repetitions without a
            cause.
        """
        again: list[tuple[Fault, int]] = []
        wrong: list[Error] = []
        for index, executions in _by_subtask(self._executions).items():
            for before, after in pairwise(executions):
                if before.raised and before.raised <= after.began:
                    continue
                if fault := self._cause(before, after):
                    again.append((fault, index))
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
                return fault  # rather than an earlier fault during its repair
        if causes:
            return causes[0]
        # A worker that has lost the server may start a subtask that it has received.
        for lost in (before, after):
            for fault in reversed(self._faults):
                if lost.cut_off and fault.cuts(lost.process, 0, lost.cut_off):
                    return fault
        return None

    def bounded(self, again: Iterable[tuple[Fault, int]]) -> Iterator[Error]:
        """A fault repeats at most the subtasks that were executed when it happened.

        A subtask counts once: if a fault follows soon after another one, either may
        have been the cause.
        """
        for fault, subtasks in Counter(fault for fault, _ in set(again)).items():
            if subtasks > self._run.slots:
                slots = self._run.slots
                about = f"{fault.kind} repeated {subtasks}, more than {slots} slots"
                yield "unexplained", about

    def finished(self) -> Iterator[Error]:
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
                yield "again", f"{later} executed after the answer"

    def counted(self) -> Iterator[Error]:
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
                yield "progress", f"counts are too large: {reading}"
        for before, after in pairwise(readings):
            if after.settled < before.settled:
                yield "progress", f"counts decreased: {before}, {after}"
        if run.answers and not run.answers[0].error:
            yield from self._final(readings[-1] if readings else None)

    def _final(self, reading: Reading | None) -> Iterator[Error]:
        """If a run ends early, outcomes that are not in the result are also counted."""
        run, answer = self._run, self._run.answers[0]
        values, failed = len(answer.values), len(answer.failed)
        early = run.enough is not None
        if reading is None or not reading.ended:
            yield "progress", "the end was never reported"
        elif (
            not values <= reading.succeeded <= (len(self._ended) if early else values)
            or not failed <= reading.failed <= (len(self._raised) if early else failed)
            or reading.timed_out
            or reading.settled != run.subtasks
        ):
            yield (
                "progress",
                f"final {reading} for {values} values and {failed} failures",
            )


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
