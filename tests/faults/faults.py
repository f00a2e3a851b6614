"""The faults: each fault breaks and repairs a component of a `Site`."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from time import monotonic

from parallelizework.errors import StartError
from tests.faults.history import Fault
from tests.faults.program import Program
from tests.faults.site import Site, together
from tests.integration.processes import eventually

# A coordinator that waits is suspended after one second; see `service._INACTIVITY`.
_LONGER_THAN_INACTIVITY = 3.0
_LONGEST_OUTAGE = 0.5  # seconds between a kill and the restart
_RECOVERY = 300.0  # seconds; usually one or two; to fill a disk takes longer

_AT_WORK = 4  # subtasks

Processes = frozenset[int]
_NONE: Processes = frozenset()


def kill_workers(site: Site, random: Random) -> Processes:
    """Kill both workers while they execute subtasks."""
    eventually(lambda: _is_frozen_at_work(site), _RECOVERY)
    return _killed(site, site.workers, random)


def kill_one_of_two_workers(site: Site, random: Random) -> Processes:
    worker = random.choice(site.workers)
    cut_off = frozenset({worker.pid})
    _killed(site, [worker], random)
    return cut_off


def kill_server(site: Site, random: Random) -> Processes:
    return _killed(site, [site.server], random)


def kill_server_and_workers(site: Site, random: Random) -> Processes:
    return _killed(site, [site.server, *site.workers], random)


def stop_workers_for_long(site: Site, _random: Random) -> Processes:
    """Stop for longer than the inactivity timeout. Some subtasks end before."""
    cut_off = site.processes
    together(worker.stop for worker in site.workers)
    time.sleep(_LONGER_THAN_INACTIVITY)
    together(worker.start for worker in site.workers)
    return cut_off


def freeze_workers(site: Site, _random: Random) -> Processes:
    """Freeze for the same time. No connection is cut off."""
    for worker in site.workers:
        worker.freeze()
    time.sleep(_LONGER_THAN_INACTIVITY)
    for worker in site.workers:
        worker.thaw()
    return _NONE


def drop_connections(site: Site, _random: Random) -> Processes:
    eventually(lambda: site.proxy.drop() > 0)
    return site.processes


def fill_disk(site: Site, random: Random) -> Processes:
    """Fill the disk until the server logs an error; free it and restart the server.

    A server whose log had no space does not resume without a restart.
    """
    disk = site.disk
    assert disk, "the site has no separate disk"
    log = site.folder / "restate-server.log"
    before = _count_errors(log)

    def logs_an_error() -> bool:
        disk.fill()  # again: the server may have freed space
        return _count_errors(log) > before

    try:
        eventually(logs_an_error, _RECOVERY)
    finally:
        disk.empty()
    return _killed(site, [site.server], random)


FAULTS: dict[str, Callable[[Site, Random], Processes]] = {
    "kill both workers": kill_workers,
    "kill one of two workers": kill_one_of_two_workers,
    "kill the server": kill_server,
    "kill the server and both workers": kill_server_and_workers,
    "stop both workers for 3 s": stop_workers_for_long,
    "freeze both workers for 3 s": freeze_workers,
    "drop all connections": drop_connections,
    "fill the server's disk": fill_disk,
}
KILLS = [kind for kind in FAULTS if kind.startswith("kill")]


def inject(site: Site, kind: str, random: Random) -> Fault:
    """Inject a fault, repair it, and wait until the site is healthy."""
    since, processes, is_repaired = monotonic(), site.processes, False
    with suppress(AssertionError, StartError):
        processes = FAULTS[kind](site, random)
        eventually(site.is_well, _RECOVERY)
        is_repaired = True
    return Fault(kind, since, monotonic(), processes, is_repaired)


def _is_frozen_at_work(site: Site) -> bool:
    """Freeze both workers; if they execute few subtasks, let them continue."""
    for worker in site.workers:
        worker.freeze()
    if site.ledger.count_unended(site.processes) >= _AT_WORK:
        return True
    for worker in site.workers:
        worker.thaw()
    return False


def _killed(site: Site, programs: list[Program], random: Random) -> Processes:
    cut_off = site.processes
    for program in programs:
        program.kill()
    time.sleep(random.uniform(0, _LONGEST_OUTAGE))
    together(program.start for program in programs)
    return cut_off


def _count_errors(log: Path) -> int:
    return log.read_text(errors="replace").count("No space left on device")
