"""The example that shows results as they complete, over a real web server."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import httpx
import pytest

from parallelizework.local.dev import local
from parallelizework.local.ports import Ports

from .conftest import ROOT, Server
from .processes import LONG, eventually
from .test_cli import addresses

LIMIT, SUBTASKS = 1_000_000, 50
PRIMES = 78_498  # below a million


def is_up(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 404
    except httpx.TransportError:
        return False


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The URL of the web app of the example, with a server and a worker."""
    port = Ports(0, 0, 0).chosen().worker
    example = f"{ROOT}/examples/live_results"
    app = [sys.executable, "-m", "hypercorn", f"{example}:web"]
    with (
        local([f"{example}.py:primes"], ports=Ports(0, 0, 0)) as started,
        tmp_path.joinpath("log").open("wb") as log,
        subprocess.Popen(
            [*app, "--bind", f"127.0.0.1:{port}"],
            env={**os.environ, **addresses(Server(started.ingress, started.admin))},
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            eventually(lambda: is_up(f"http://127.0.0.1:{port}"))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@contextmanager
def events(web: str, run: str, last: str = "") -> Generator[Iterator[dict[str, str]]]:
    """The events of a run after the event `last`; each with its fields."""
    headers = {"last-event-id": last} if last else {}
    url = f"{web}/runs/{run}"
    with httpx.stream("GET", url, headers=headers, timeout=LONG) as answer:
        yield parsed(answer.raise_for_status().iter_lines())


def parsed(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            yield fields
            fields = {}
        name, _, value = line.partition(":")
        fields[name] = value.strip()


def test_a_browser_continues_after_a_disconnect(web: str) -> None:
    run = httpx.post(f"{web}/runs", json=LIMIT).raise_for_status().json()["run"]

    with events(web, run) as found:
        first = list(islice(found, 5))
    with events(web, run, last=first[-1]["id"]) as found:
        *rest, end = list(found)

    outcomes = [json.loads(each["data"]) for each in [*first, *rest]]
    assert sorted(each["index"] for each in outcomes) == list(range(SUBTASKS))
    assert sum(each["value"] for each in outcomes) == PRIMES
    assert end["event"] == "end"
