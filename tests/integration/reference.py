"""The reference model: which ends of a random run are right. Pure, and simple.

The model knows the fates of the subtasks and the policy, but not the implementation.
Several ends are right if the end depends on the order in which subtasks end.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import floor

from .random_cases import Case

Failed = tuple[int, str, int, int | None]  # index, status, code, attempts

_BAD = {"f": ("failed", 418), "h": ("timed_out", 504)}


@dataclass(frozen=True)
class Answer:
    """How a run ended: with a result, or with the status of an error."""

    status: int
    values: Sequence[int] = ()
    failures: Sequence[Failed] = ()
    reason: str = ""


class Reference:
    """The ends that one case may have."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.count = len(case.fates)
        self.bad = {i for i in range(self.count) if self._fails(case.fates[i])}
        self.known = {i for i in range(self.count) if case.fates[i] == "d"}
        # With a timeout, every executed subtask may time out.
        late = range(self.count) if case.is_timed else ()
        self.may_fail = (self.bad | set(late)) - self.known

    def errors(self, answer: Answer) -> Iterator[str]:
        """Return the errors of a response."""
        if answer.status != 200:
            if answer.status not in set(self._statuses()):
                yield f"{answer} is not among the errors {set(self._statuses())}"
            return
        yield from self._outcomes(answer)
        if not self._is_an_end(answer):
            yield f"{answer.reason} with {len(answer.values)} values and "
            yield f"{len(answer.failures)} failures of {self.count} is no end"

    def executions(self, index: int) -> int:
        """Return the number of executions of a subtask that is not cancelled."""
        fate = self.case.fates[index]
        again = int(fate) if fate.isdigit() else 0
        return min(again + 1, self.case.max_attempts)

    def _fails(self, fate: str) -> bool:
        if fate.isdigit():
            return int(fate) >= self.case.max_attempts
        return fate in _BAD

    def _tolerated(self) -> int | None:
        """Return the number of tolerated failures; None if another rule applies."""
        policy = self.case.policy
        if "min_successful" in policy or "race" in policy:
            return None
        share = policy.get("tolerated_failure_percentage")
        counts = [policy.get("tolerated_failure_count")]
        if share is not None:
            counts.append(floor(Decimal(str(share)) * self.count / 100))
        return min((count for count in counts if count is not None), default=0)

    def _statuses(self) -> Iterator[int]:
        """Yield the statuses with which the run may fail."""
        policy, tolerated = self.case.policy, self._tolerated()
        enough = policy.get("min_successful", 0)
        fails = len(self.may_fail) > (
            self.count - enough if enough else (tolerated or 0)
        )
        if fails:
            yield from {_BAD.get(self.case.fates[i], ("", 500))[1] for i in self.bad}
            if self.case.is_timed:
                yield 504
        if enough > self.count:
            yield 400
        if "deadline" in policy and policy["on_deadline"] == "fail":
            yield 504

    def _outcomes(self, answer: Answer) -> Iterator[str]:
        """Yield the errors of the outcomes in a response."""
        values, failed = list(answer.values), [each[0] for each in answer.failures]
        if values != sorted(values):
            yield "the values are not in order"
        if twice := [i for i, n in Counter(values + failed).items() if n > 1]:
            yield f"{twice[:5]} have two outcomes"
        if strange := [i for i in values if i in self.bad or i >= self.count]:
            yield f"{strange[:5]} cannot have succeeded"
        for failure in answer.failures:
            if not self._may_be(failure, answer.reason):
                yield f"{failure} is no outcome of its subtask"

    def _may_be(self, failure: Failed, reason: str) -> bool:
        index, status, code, attempts = failure
        if (status, code) == ("timed_out", 504):
            return index in self.may_fail and self.case.is_timed
        if (status, code) == ("cancelled", 504):
            return reason == "DEADLINE_EXCEEDED" and index not in self.known
        expected = _BAD.get(self.case.fates[index], ("failed", 500))
        tried = None if self.case.is_code else self.executions(index)
        # An attempt that timed out is counted, and more attempts may follow.
        exact = attempts == tried or (self.case.is_timed and attempts is not None)
        by_status = self.case.is_code and attempts in (None, self.executions(index))
        return index in self.bad and (status, code) == expected and (exact or by_status)

    def _is_an_end(self, answer: Answer) -> bool:
        """Whether the completion rule allows an end with this number of outcomes."""
        policy = self.case.policy
        good, bad = len(answer.values), len(answer.failures)
        tolerated, enough = self._tolerated(), policy.get("min_successful", 0)
        within = tolerated is None or bad <= tolerated
        match answer.reason:
            case "ALL_COMPLETED":
                return (
                    good + bad == self.count
                    and not enough
                    and within
                    and ("race" not in policy or not self.count)
                )
            case "MIN_SUCCESSFUL_REACHED":
                exact = good == enough or (self.case.is_combined and good > enough)
                return bool(enough) and exact and bad <= self.count - enough
            case "FIRST_SETTLED":
                return "race" in policy and (good, bad) == (1, 0)
            case "DEADLINE_EXCEEDED":
                return policy.get("on_deadline") == "answer"
            case _:
                return False
