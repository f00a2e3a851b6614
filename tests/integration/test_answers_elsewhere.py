"""One worker accepts the answers, another worker serves the fan-out."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from parallelizework.client import Client, healthy
from parallelizework.errors import UnfitData
from parallelizework.local.binaries import find
from parallelizework.local.ports import Ports
from parallelizework.local.server import restate_server

from .fan_outs.answered import LINES
from .processes import Running, eventually, running
from .test_dev import FAN_OUTS


@contextmanager
def apart(folder: Path) -> Generator[tuple[Running, Client]]:
    """Two workers; the second one, of an executor, serves `FanOutAnswers`."""
    ports = Ports(0, 0, 0).chosen()
    other = Ports(0, 0, 0).chosen().worker
    addresses = [f"127.0.0.1:{port}" for port in (ports.worker, other)]
    targets = [
        f"{FAN_OUTS}.answered:answered",
        f"{FAN_OUTS}.answered:answered_executor",
    ]
    elsewhere = f"{FAN_OUTS}.answered:answered_elsewhere"
    urls = [f"http://127.0.0.1:{port}" for port in (ports.ingress, ports.admin)]
    with (
        restate_server(find("restate-server"), ports, folder, {}),
        running("serve", *targets, "--bind", addresses[0]) as worker,
        running("serve", elsewhere, "--bind", addresses[1]),
        Client(*urls) as client,
    ):
        for address in addresses:
            eventually(lambda url=f"http://{address}/health": healthy(url))
            client.register(f"http://{address}")
        yield worker, client


def test_answers_are_checked_by_the_worker_of_the_fan_out(
    tmp_path: Path, key: str
) -> None:
    with apart(tmp_path) as (_, client):
        for name in ("Answered", "AnsweredExecutor"):
            run = client.submit(name, {"key": key, "count": 2})
            eventually(lambda run=run: len(run.waiting()) == 2)

            for each in run.waiting():
                with pytest.raises(UnfitData, match="the answer for a subtask of"):
                    client.answer(each.key, "no list")
                client.answer(each.key, [each.index])

            assert run.result(30) == [0, 1]


def test_an_early_answer_of_another_type_is_refused_later(
    tmp_path: Path, key: str
) -> None:
    with apart(tmp_path) as (worker, client):
        run = client.submit("Answered", {"key": key, "count": 1, "pause": 3})
        eventually(lambda: bool(LINES.of(key)))
        subtask = LINES.of(key)[0].split()[-1]

        early = client.answer(subtask, "no list")
        worker.wait_for("answer refused")
        client.answer(subtask, [7])

        assert not early.is_waiting
        assert run.result(30) == [7]
