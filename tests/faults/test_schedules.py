"""Workers and server are killed at the ticks of a schedule: each time runs once."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import sleep, time
from uuid import uuid4

import pytest

from parallelizework.client import Client
from tests.faults.site import Site, site, together
from tests.integration.fan_outs.ledger import Lines
from tests.integration.processes import eventually
from tests.integration.schedules.conftest import TARGETS, Schedules, steps

pytestmark = pytest.mark.timeout(400)
EVERY = 2  # seconds
DURATION = timedelta(minutes=2)
BETWEEN_KILLS = 3  # ticks


def kill_the_workers(system: Site) -> None:
    together(worker.kill for worker in system.workers)
    together(worker.start for worker in system.workers)


def kill_one_worker(system: Site) -> None:
    system.workers[0].kill()
    system.workers[0].start()


def kill_the_server(system: Site) -> None:
    system.server.kill()
    system.server.start()


def kill_everything(system: Site) -> None:
    programs = [system.server, *system.workers]
    together(program.kill for program in programs)
    together(program.start for program in programs)


KILLS = [kill_the_workers, kill_the_server, kill_one_worker, kill_everything]


def wait_for_a_tick(random: Random) -> None:
    """Wait until a moment at a tick: a few milliseconds before or after its time."""
    tick = (time() // EVERY + BETWEEN_KILLS) * EVERY
    sleep(tick + random.uniform(-0.03, 0.05) - time())


def test_a_schedule_has_exactly_the_ticks_it_should_have(tmp_path: Path) -> None:
    key, random, kills = uuid4().hex, Random(0), Counter[str]()
    with (
        site(tmp_path, TARGETS) as system,
        Client(system.ingress, system.admin) as client,
    ):
        made, known = Schedules(system, client), client.schedules
        known.set(
            "exact",
            f"every {EVERY}s",
            "Scheduled",
            {"key": key},
            overlap="allow",
            missed="all",
            time_field="time",
        )
        first = known.get("exact").next
        assert first
        end = first + DURATION
        while datetime.now(UTC) < end:
            kill = KILLS[kills.total() % len(KILLS)]
            wait_for_a_tick(random)
            kill(system)
            kills[kill.__name__] += 1
        eventually(lambda: (known.get("exact").last or first) >= end)
        known.pause("exact")
        eventually(lambda: not known.get("exact").running)
        found, times = known.get("exact"), made.times("exact")

    print(f"{len(times)} times with {kills.total()} kills: {dict(kills)}")
    assert times[0] == first
    assert times[-1] == found.last
    assert steps(times) == {EVERY}
    assert kills.total() >= len(KILLS)
    assert {run.state for run in found.runs} == {"succeeded"}
    assert sorted(run.time for run in found.runs) == times[-len(found.runs) :]
    ends = {line for line in Lines("scheduled").of(key) if line.startswith("end")}
    assert ends == {f"end {moment}" for moment in times}
