"""The short form of `make faults`: each kind of fault once, during runs."""

import pytest

from tests.faults import report, suite
from tests.faults.fan_outs import WORK
from tests.faults.faults import FAULTS
from tests.faults.suite import Outcome

pytestmark = pytest.mark.timeout(3_600)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("faults")
    outcome = suite.run(folder, 0, [*FAULTS, "kill the server"])
    report.evidence(outcome, folder)
    print(f"{report.tables(outcome)}\n{folder}")
    return outcome


def test_no_run_is_lost_or_wrong_after_any_fault(outcome: Outcome) -> None:
    assert not outcome.verdict.violations
    assert len(outcome.history.runs) > len(WORK)


@pytest.mark.parametrize("kind", FAULTS)
def test_each_kind_of_fault_has_happened(outcome: Outcome, kind: str) -> None:
    if kind in outcome.skipped:
        pytest.skip(outcome.skipped[kind])

    assert kind in [fault.kind for fault in outcome.history.faults]


def test_subtasks_of_a_killed_worker_are_executed_again(
    outcome: Outcome,
) -> None:
    assert outcome.verdict.repeated["kill both workers"] > 0


def test_subtasks_of_a_frozen_worker_are_not_executed_again(outcome: Outcome) -> None:
    assert not outcome.verdict.repeated["freeze both workers for 3 s"]


def test_the_memory_of_the_workers_does_not_grow(outcome: Outcome) -> None:
    assert outcome.after.worker <= outcome.before.worker + suite.WORKER_MORE
    assert outcome.after.server <= outcome.before.server + suite.SERVER_MORE
