"""`Suite`: faults at random moments while runs are in flight, and the outcome."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from time import monotonic, sleep

from tests.faults.disk import disk, reason_against_disk
from tests.faults.fan_outs import WORK
from tests.faults.faults import FAULTS, inject
from tests.faults.history import Fault, History, Run
from tests.faults.load import Load, tasks
from tests.faults.site import Site, site
from tests.faults.verdict import Verdict, judge
from tests.integration.processes import LONG, eventually

TARGETS = [
    f"tests.faults.fan_outs:{name}"
    for name in ("plain", "threads", "code", "batches", "tolerant", "sharded")
]
LARGE = [kind for kind in WORK if kind != "small"]
SMALL = ["small"]  # these end often, so that some of them end during a fault
AT_ONCE = 4  # runs in flight, of LARGE and of SMALL
PATIENCE = 600.0  # seconds in which all runs must end after the last fault
# The number of each fault in one deck; slow faults are rare.
_TIMES = dict.fromkeys(FAULTS, 1) | {
    "kill both workers": 8,
    "kill one of two workers": 12,
    "kill the server": 40,
    "kill the server and both workers": 6,
    "drop all connections": 4,
}
_REST = 200.0  # seconds in which other invocations must end, such as updates
_PAUSES = (0.1, 0.5)  # seconds between two faults
# MiB by which the memory may grow: for caches and allocators.
WORKER_MORE, SERVER_MORE = 64, 192


@dataclass(frozen=True)
class Memory:
    """The memory of the processes, in MiB."""

    worker: int
    server: int

    @classmethod
    def of(cls, system: Site) -> "Memory":
        """Measure the memory now: the server, and the larger of the workers."""
        workers = max(worker.resident_mib for worker in system.workers)
        return cls(workers, system.server.resident_mib)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a suite.

    Attributes:
        skipped: The reason for each kind of fault that this machine does not allow.
    """

    seed: int
    seconds: float
    history: History
    verdict: Verdict
    before: Memory
    after: Memory
    skipped: dict[str, str]

    @property
    def is_good(self) -> bool:
        """Whether no rule is violated and the memory has not grown."""
        return (
            not self.verdict.violations
            and self.after.worker <= self.before.worker + WORKER_MORE
            and self.after.server <= self.before.server + SERVER_MORE
        )


def run(
    folder: Path, seed: int, kinds: Iterable[str], work: Sequence[str] = LARGE
) -> Outcome:
    """Inject these faults, one after the other, while runs of these kinds execute.

    The logs and the ledger are in `folder`.
    """
    start, random, faults = monotonic(), Random(seed), list[Fault]()
    reason = reason_against_disk()
    skipped = {"fill the server's disk": reason} if reason else {}
    with ExitStack() as stack:
        data = None if reason else stack.enter_context(disk(folder / "data"))
        system = stack.enter_context(site(folder, TARGETS, data=data))
        runs = warmed_up(system, seed, [*work, *SMALL])
        before = Memory.of(system)
        loads = [
            Load(system, tasks(system.ledger_path, Random(seed), work), AT_ONCE),
            Load(system, tasks(system.ledger_path, Random(seed), SMALL, "s-"), AT_ONCE),
        ]
        for load in loads:
            stack.callback(load.give_up)
        for kind in kinds:
            if kind in skipped:
                continue
            sleep(random.uniform(*_PAUSES))
            faults.append(inject(system, kind, random))
            if not faults[-1].is_repaired:
                break
        patience = PATIENCE if all(fault.is_repaired for fault in faults) else 0
        runs += [run for load in loads for run in load.drain(patience)]
        left = tuple(remaining(system))
        after = Memory.of(system)
        history = History(system.ledger.read(), faults, runs, left)
    lasted = monotonic() - start
    return Outcome(seed, lasted, history, judge(history), before, after, skipped)


def warmed_up(system: Site, seed: int, kinds: Sequence[str]) -> list[Run]:
    """Run one task of each kind before the first fault."""
    some = tasks(system.ledger_path, Random(seed), kinds, "warm-")
    load = Load(system, islice(some, len(kinds)), AT_ONCE)
    return load.ended(PATIENCE)


def random_faults(seed: int, seconds: float) -> Iterator[str]:
    """Yield kinds of faults for `seconds`, from shuffled decks."""
    random, end = Random(seed), monotonic() + seconds
    while True:
        deck = [kind for kind in FAULTS for _ in range(_TIMES[kind])]
        random.shuffle(deck)
        for kind in deck:
            if monotonic() > end:
                return
            yield kind


def remaining(system: Site) -> list[str]:
    """Return the invocations that do not end after all runs have ended."""
    left: list[str] = []

    def all_ended() -> bool:
        left[:] = map(str, unended(system))
        return not left

    try:
        eventually(all_ended, _REST)
    except AssertionError:
        return left
    return []


def unended(system: Site) -> list[dict[str, object]]:
    """Return all unended invocations except those that forget a run later."""
    sql = (
        "select id, target, status, retry_count, last_failure from sys_invocation "
        "where status != 'completed' and target not like 'FanOut%/forget'"
    )
    url, headers = f"{system.admin}/query", {"accept": "application/json"}
    answer = system.http.post(url, json={"query": sql}, headers=headers, timeout=LONG)
    return answer.raise_for_status().json()["rows"]
