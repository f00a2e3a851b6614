"""Redrive random runs: whatever ended them, the redrive completes them.

RANDOM_SECONDS, RANDOM_SEED and RANDOM_CASE are those of `test_random.py`.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import HTTP, Server
from .observation import Observation, answer_of, ledger, observed
from .random_cases import random_case
from .test_random import CASE, SECONDS, SEED, cases, in_parallel

# Few runs, so that each cancelled subtask answers within the second that its run waits.
AT_ONCE = 2
FIRST = 1_000  # other cases than those of `test_random.py`
# The redrive must complete the run: with no tolerance, and in time.
POLICY: dict[str, Any] = {
    "tolerated_failure_count": 0,
    "deadline": 3_600,
    "subtask_timeout": 3_600,
}
ENDED_BY_RULE = ("MIN_SUCCESSFUL_REACHED", "FIRST_SETTLED")


def redriven(server: Server, seen: Observation) -> list[str]:
    """Redrive an observed run; return the errors of the redrive."""
    kept = HTTP.get(f"{server.ingress}/FanOutRedrive/{seen.run}/get")
    if kept.is_error:
        return [*not_kept(seen)]
    server.repair(seen.key)
    url = f"{server.ingress}/{seen.case.service}/redrive"
    policy = POLICY | ({} if seen.case.is_code else {"attempt_timeout": 3_600})
    request = {"run": seen.run, "policy": policy}
    answer = HTTP.post(url, json=request)
    if answer.is_error:
        return [f"the redrive failed with {answer.status_code}: {answer.text}"]
    return [*completed(server, seen, list(answer_of(answer).values))]


def not_kept(seen: Observation) -> Iterator[str]:
    """Nothing is kept of a run that has succeeded, or whose task was refused."""
    has_failures = bool(seen.answer.failures)
    is_by_rule = seen.answer.reason in ENDED_BY_RULE
    if seen.answer.status != 200 or (has_failures and not is_by_rule):
        yield "nothing is kept of the run"


def completed(server: Server, seen: Observation, values: list[int]) -> Iterator[str]:
    case, count = seen.case, len(seen.case.fates)
    if (sorted(values) if case.is_combined else values) != list(range(count)):
        yield f"the redrive has other values: {values[:20]}"
    executions = ledger(server, seen.key)
    # A batch, or a function in a thread, may be cancelled after it has executed
    # subtasks: they had succeeded, but not durably. So may a second attempt.
    batched = "max_items_per_batch" in case.policy
    is_exact = (
        not batched and case.service != "RandomSync" and "race" not in case.policy
    )
    for index, fate in enumerate(case.fates):
        ended, expected = executions["ended", index], int(fate != "d")
        is_first_attempt = not fate.isdigit()
        if ended != expected and (ended < expected or (is_exact and is_first_attempt)):
            yield f"{index} has succeeded {ended} times, not {expected}"


@pytest.mark.timeout(SECONDS + 600)
def test_a_redrive_completes_every_random_run(
    server: Server, request: pytest.FixtureRequest
) -> None:
    kind = request.node.callspec.params["server"]
    chosen = (
        cases(kind)
        if CASE
        else (random_case(SEED, FIRST + case.number) for case in cases(kind))
    )

    found = in_parallel(
        chosen,
        lambda case: (case, redriven(server, observed(server, case))),
        AT_ONCE,
    )

    errors = [
        f"{case}\n  - " + "\n  - ".join(wrong[:8]) for case, wrong in found if wrong
    ]
    assert not errors, "\n".join([f"{len(errors)} of {len(found)}", *errors])
