"""A run and its results survive the loss of any one of three servers."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.integration.processes import eventually

from .cluster import Cluster, Node, cluster
from .runs import ask, done, send

SQUARES = f"{Path(__file__).with_name('fan_outs.py')}:squares"
COUNT = 2_000
# In full, each node is killed in turn; in short, the first is.
KILLED = range(3) if os.environ.get("CLUSTER_ALL_NODES") else range(1)


@pytest.fixture(scope="module")
def three() -> Iterator[Cluster]:
    with cluster([SQUARES]) as three:
        yield three


@pytest.mark.timeout(1_000)
@pytest.mark.parametrize("number", KILLED)
def test_a_run_survives_a_kill_of_the_server_that_accepted_the_run(
    three: Cluster, number: int, tmp_path: Path, key: str
) -> None:
    """Half of it waits for that: it cannot have ended before."""
    lost, other, held_by = three.nodes[number], three.nodes[number - 1], tmp_path / "h"
    held_by.touch()
    run = send(lost.ingress, key, COUNT, held_by)
    with ThreadPoolExecutor() as pool:
        cut_off = pool.submit(ask, lost.ingress, key, COUNT)
        eventually(lambda: done(other.ingress, run) > COUNT // 10)

        lost.kill()
        with pytest.raises(httpx.TransportError):
            cut_off.result()
        held_by.unlink()
        answer = ask(other.ingress, key, COUNT)

    assert answer.json() == [n * n for n in range(COUNT)]
    assert answer.headers["x-restate-id"] == run
    lost.start()
    assert_caught_up(three, lost, key)


def assert_caught_up(three: Cluster, back: Node, key: str) -> None:
    """Check that results of an outage survive the loss of another node."""
    assert ask(back.ingress, key, COUNT).json() == [n * n for n in range(COUNT)]
    another = three.nodes[three.nodes.index(back) - 1]
    another.kill()
    answers = [
        ask(back.ingress, again, 100).json() for again in (f"{key}-1", f"{key}-2")
    ]
    another.start()
    assert answers == [[n * n for n in range(100)]] * 2
