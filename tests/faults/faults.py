"""The faults: each breaks something of a `Site`, and repairs it."""

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
_LONGEST_OUTAGE = 0.5  # seconds, of what was killed
_RECOVERY = 300.0  # seconds; it takes one or two, but for a disk to be really full

Processes = frozenset[int]
_NOBODY: Processes = frozenset()


def kill_workers(site: Site, random: Random) -> Processes:
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
    """For longer than the inactivity timeout; it lets some subtasks end before."""
    cut_off = site.processes
    together(worker.stop for worker in site.workers)
    time.sleep(_LONGER_THAN_INACTIVITY)
    together(worker.start for worker in site.workers)
    return cut_off


def freeze_workers(site: Site, _random: Random) -> Processes:
    """For as long; nothing is cut off."""
    for worker in site.workers:
        worker.freeze()
    time.sleep(_LONGER_THAN_INACTIVITY)
    for worker in site.workers:
        worker.thaw()
    return _NOBODY


def drop_connections(site: Site, _random: Random) -> Processes:
    eventually(lambda: site.proxy.drop() > 0)
    return site.processes


def fill_disk(site: Site, random: Random) -> Processes:
    """Until the server complains; then it has room again.

    And a restart: if it was its log that had no room, it does not go on by itself.
    """
    disk = site.disk
    assert disk, "the site has no disk of its own"
    log = site.folder / "restate-server.log"
    before = _complaints(log)

    def complains() -> bool:
        disk.fill()  # also what the server has given back meanwhile
        return _complaints(log) > before

    try:
        eventually(complains, _RECOVERY)
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


def strike(site: Site, kind: str, random: Random) -> Fault:
    """Break something, repair it, and wait until all is well."""
    since, processes, is_repaired = monotonic(), site.processes, False
    with suppress(AssertionError, StartError):
        processes = FAULTS[kind](site, random)
        eventually(site.is_well, _RECOVERY)
        is_repaired = True
    return Fault(kind, since, monotonic(), processes, is_repaired)


def _killed(site: Site, programs: list[Program], random: Random) -> Processes:
    cut_off = site.processes
    for program in programs:
        program.kill()
    time.sleep(random.uniform(0, _LONGEST_OUTAGE))
    together(program.start for program in programs)
    return cut_off


def _complaints(log: Path) -> int:
    return log.read_text(errors="replace").count("No space left on device")
