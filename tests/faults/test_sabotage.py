"""The fault suite detects defects that are made on purpose."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.fan_outs import WORK, Task, Work
from tests.faults.history import History
from tests.faults.load import Load
from tests.faults.sabotage import SABOTAGES
from tests.faults.site import site
from tests.faults.suite import PATIENCE
from tests.faults.verdict import Kind, Verdict, judge

pytestmark = pytest.mark.timeout(3_600)
TARGETS = ["tests.faults.sabotage:plain", "tests.faults.sabotage:tolerant"]
CAUGHT_AS: dict[str, Kind] = {
    "ignore the journal": "unexplained",
    "forget a future": "wrong",
    "count a retried subtask twice": "progress",
    "mix up values": "wrong",
}


def small(ledger: Path) -> Iterator[tuple[Work, Task]]:
    """Yield a run without failures, and a run with failures and retries."""
    for number, kind in enumerate(("plain", "tolerance")):
        first = number * 1_000
        yield WORK[kind], Task(ledger=ledger, run=kind, first=first, count=60, pause=0)


def judged(folder: Path, environment: dict[str, str]) -> Verdict:
    """Return the verdict on two runs without faults."""
    with site(folder, TARGETS, environment=environment) as system:
        runs = Load(system, small(system.ledger_path), at_once=2).ended(PATIENCE)
        return judge(History(system.ledger.read(), runs=runs))


@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_a_defect_made_on_purpose_is_detected(tmp_path: Path, sabotage: str) -> None:
    verdict = judged(tmp_path, {"FAULTS_SABOTAGE": sabotage})

    assert verdict.count(CAUGHT_AS[sabotage])


def test_no_defect_is_detected_in_correct_code(tmp_path: Path) -> None:
    assert not judged(tmp_path, {}).violations
