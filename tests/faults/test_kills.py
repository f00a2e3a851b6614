"""The shortest form of `make faults`: workers and server are killed."""

from pathlib import Path

import pytest

from tests.faults import report, suite

pytestmark = pytest.mark.timeout(600)

KILLS = ["kill both workers", "kill the server", "kill the server and both workers"]


def test_runs_survive_kills_of_the_workers_and_of_the_server(tmp_path: Path) -> None:
    outcome = suite.run(tmp_path, 0, KILLS, ["plain", "shards"])

    report.evidence(outcome, tmp_path)
    assert not outcome.verdict.violations
    assert [fault.kind for fault in outcome.history.faults] == KILLS
    assert sum(outcome.verdict.repeated.values()) > 0
