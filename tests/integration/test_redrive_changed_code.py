"""A redrive uses the code that is served now, not that of the run."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import JsonValue

from parallelizework.client import Client
from parallelizework.errors import RunFailed

from .test_outages import Site
from .test_outages import site as site  # noqa: PLC0414 - a fixture

CODE = """
from pathlib import Path
from parallelizework import FanOut, Policy

LEDGER = Path({ledger!r})

def split(words: list[str]) -> list[str]:
    return words

def execute(word: str) -> int:
    with LEDGER.open("a") as ledger:
        ledger.write(word + "\\n")
    return {execute}

def aggregate(lengths: list[int]) -> list[int]:
    return {aggregate}

lengths = FanOut("Lengths", split=split, execute=execute, aggregate=aggregate,
    policy=Policy(max_attempts=1, tolerated_failure_percentage={tolerated}))
"""
WORDS: list[JsonValue] = ["a", "bb", "", "dddd"]
LENGTH = "len(word)"
BUG = "len(word) if 1 // len(word) >= 0 else 0"  # no word may be empty


class Deployed:
    """The code of a fan-out, served at one port."""

    def __init__(self, site: Site, folder: Path) -> None:
        self._site = replace(site, module=folder / "lengths.py")
        self._port = 0
        self.ledger = folder / "ledger"

    @contextmanager
    def version(
        self, *, execute: str = LENGTH, aggregate: str = "lengths", tolerated: int = 0
    ) -> Generator[Client]:
        """Serve a version of the code; return a client."""
        code = CODE.format(
            ledger=str(self.ledger),
            execute=execute,
            aggregate=aggregate,
            tolerated=tolerated,
        )
        self._site.module.write_text(code)
        site = self._site
        with (
            site.worker("lengths", port=self._port) as (_, self._port),
            Client(site.ingress, site.admin) as client,
        ):
            yield client

    @property
    def executions(self) -> list[str]:
        return sorted(self.ledger.read_text().split("\n")[:-1])


@pytest.fixture
def deployed(site: Site, tmp_path: Path) -> Deployed:
    return Deployed(site, tmp_path)


def failed(client: Client) -> str:
    """A run that fails; return its id."""
    run = client.submit("Lengths", WORDS)
    with pytest.raises(RunFailed):
        run.result(60)
    return run.id


def test_a_bug_in_execute_is_mended_and_only_what_failed_is_executed(
    deployed: Deployed,
) -> None:
    with deployed.version(execute=BUG, tolerated=100) as client:
        run = client.submit("Lengths", WORDS)
        assert run.result(60) == [1, 2, 4]

    with deployed.version(tolerated=100) as client:
        result = client.attach("Lengths", run.id).redrive().result(60)

    assert result == [1, 2, 0, 4]
    assert deployed.executions == ["", *sorted(map(str, WORDS))]


def test_a_bug_in_aggregate_is_mended_and_no_subtask_is_executed(
    deployed: Deployed,
) -> None:
    with deployed.version(aggregate="[1 // 0]") as client:
        run = failed(client)

    with deployed.version(aggregate="lengths[::-1]") as client:
        result = client.attach("Lengths", run).redrive().result(60)

    assert result == [4, 0, 2, 1]
    assert deployed.executions == sorted(map(str, WORDS))


def test_a_policy_that_was_too_strict_is_changed(deployed: Deployed) -> None:
    with deployed.version(execute=BUG) as client:
        run = failed(client)

    with deployed.version(execute=BUG, tolerated=100) as client:
        result = client.attach("Lengths", run).redrive().result(60)

    assert result == [1, 2, 4]
