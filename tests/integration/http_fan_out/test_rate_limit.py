"""HttpFanOut and hosts that ask to come back later."""

from collections.abc import Iterator
from typing import Any

import pytest

from ..conftest import GIVEN, Server
from ..misbehaving import Misbehaving, misbehaving

pytestmark = pytest.mark.skipif(GIVEN, reason="its worker reaches other hosts")


@pytest.fixture
def target() -> Iterator[Misbehaving]:
    """One for each test: a host that asks for fewer requests is remembered."""
    with misbehaving() as server:
        yield server


def run(server: Server, task: dict[str, Any]) -> dict[str, Any]:
    return server.run("HttpFanOut", task).raise_for_status().json()


@pytest.mark.once
@pytest.mark.parametrize("batch", [1, 64])
def test_a_rate_limit_fails_no_row_and_rejects_few_requests(
    server: Server, target: Misbehaving, key: str, batch: int
) -> None:
    """300 rows, and a host that answers 20 requests a second."""
    task = {
        "request": {"url": f"{target.url}/limited/20/{key}?{{n}}"},
        "rows": [{"n": n} for n in range(300)],
        "policy": {"max_items_per_batch": batch},
    }

    answer = run(server, task)

    assert answer["failures"] == []
    assert len(answer["responses"]) == 300
    assert {response["attempts"] for response in answer["responses"]} == {1}
    assert len(target.ledger) < 450


def test_the_timeout_of_a_subtask_includes_its_postponements(
    server: Server, target: Misbehaving
) -> None:
    request = {"url": f"{target.url}/limited/0/never"}
    policy = {"subtask_timeout": 2, "max_attempts": 1}

    answer = run(server, {"requests": [request], "policy": policy})

    [failure] = answer["failures"]
    assert failure["code"] == 504
