"""The comparisons of `make bench-quick`, with the figures to reach."""

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

from benchmarks.alternation import Comparison, alternating
from benchmarks.answers import waited
from benchmarks.crowd import crowd
from benchmarks.fan_outs import SLOTS
from benchmarks.late import late_ms
from benchmarks.small_requests import Requests, requests
from benchmarks.systems import System, system
from benchmarks.workers import hypercorn, seed

_INVOKER_LIMIT = "RESTATE_WORKER__INVOKER__CONCURRENT_INVOCATIONS_LIMIT"
_METRICS = "PARALLELIZEWORK_METRICS_BIND"
_ALONE = 4  # runs, one after the other


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        rounds, slow_rounds: How often the forms alternate; the second number is for the
            crowd and for late subtasks, which need more time.
        plain, auto: The number of subtasks of `Plain` and `Tree`, and of `Auto`.
        alone, at_once: The number of requests of one client, and of 16 clients.
        waiting: The number of subtasks that wait.
        runs, subtasks, limit: The number of runs of the crowd, of the subtasks of each
            run, and of the concurrent invocations of the server.
    """

    rounds: int
    slow_rounds: int
    plain: int
    auto: int
    alone: int
    at_once: int
    waiting: int
    runs: int
    subtasks: int
    limit: int


def comparisons(sizes: Sizes) -> Generator[Comparison, None, None]:
    """Measure, one comparison after the other."""
    with system(hypercorn(), seed) as started:
        for service in ("Plain", "Tree", "Auto", "SeedRpc"):
            started.total(service, 300)  # warm up
        yield from no_ops(started, sizes)
        yield from features(started, sizes)
        yield from small_requests(started, sizes)
        yield slots_busy(started, sizes.rounds)
        yield auto_for_long_subtasks(started, sizes.rounds)
        yield late_completion(started, sizes.slow_rounds)
    yield metrics(sizes)
    yield from waiting(sizes.waiting)
    yield crowd_over_one(sizes)


def no_ops(started: System, sizes: Sizes) -> list[Comparison]:
    """Compare the CPU time of `Plain` to `Tree`, and the rate of `Auto` to `Plain`."""
    counts = {"Tree": sizes.plain, "Plain": sizes.plain, "Auto": sizes.auto}
    forms = [partial(started.measured, *form) for form in counts.items()]
    tree, plain, auto = alternating(forms, sizes.rounds)
    return [
        Comparison(
            f"CPU per subtask of {sizes.plain:,}, plain / hand-written tree",
            "ms",
            [row.cpu_ms for row in plain],
            [row.cpu_ms for row in tree],
            to_reach="at most 1.15 ms",
        ),
        Comparison(
            f'rate, "auto" at {sizes.auto:,} / plain at {sizes.plain:,}',
            "/s",
            [row.rate for row in auto],
            [row.rate for row in plain],
            to_reach="at least 10",
        ),
    ]


def features(started: System, sizes: Sizes) -> list[Comparison]:
    """Compare the CPU time of `Plain` to runs with other features, or without them."""
    services = ("Bare", "Plain", "Streamed", "MayWait")
    forms = [partial(started.measured, each, sizes.plain) for each in services]
    bare, plain, streamed, may_wait = (
        [row.cpu_ms for row in rows] for rows in alternating(forms, sizes.rounds)
    )
    what = f"CPU per subtask of {sizes.plain:,},"
    return [
        Comparison(
            f"{what} redrivable / redrivable_for=0", "ms", plain, bare, "at most 1.05"
        ),
        Comparison(f"{what} with stream / without", "ms", streamed, plain, ""),
        Comparison(f"{what} may wait / cannot", "ms", may_wait, plain, "at most 1.05"),
    ]


def small_requests(started: System, sizes: Sizes) -> list[Comparison]:
    """Compare requests of four subtasks to `Plain` and to `SeedRpc`."""

    def both(clients: int, count: int) -> list[list[Requests]]:
        return alternating(
            [
                partial(requests, started, "SeedRpc", clients, count),
                partial(requests, started, "Plain", clients, count),
            ],
            sizes.rounds,
        )

    seed_at_once, plain_at_once = both(16, sizes.at_once)
    seed_alone, plain_alone = both(1, sizes.alone)
    what = "request of 4 subtasks, plain / SeedRpc,"
    goal = "at most 1.1"
    return [
        Comparison(
            f"{what} 16 clients: CPU",
            "ms",
            [row.cpu_ms for row in plain_at_once],
            [row.cpu_ms for row in seed_at_once],
            goal,
        ),
        Comparison(
            f"{what} 16 clients: p50",
            "ms",
            [row.p50 for row in plain_at_once],
            [row.p50 for row in seed_at_once],
            goal,
        ),
        Comparison(
            f"{what} 1 client: p50",
            "ms",
            [row.p50 for row in plain_alone],
            [row.p50 for row in seed_alone],
            goal,
        ),
    ]


def slots_busy(started: System, rounds: int) -> Comparison:
    """Measure the share of time in which the slots of a run execute a subtask."""

    def share(service: str) -> float:
        return started.run(service, 30 * SLOTS) / SLOTS

    forms = [partial(share, service) for service in ("AutoSlots", "Slots")]
    auto, plain = alternating(forms, rounds)
    return Comparison(
        f'time that {SLOTS} slots are busy, subtasks of 100 ms, "auto" / plain',
        "",
        auto,
        plain,
        to_reach="at least 0.9",
    )


def auto_for_long_subtasks(started: System, rounds: int) -> Comparison:
    """Compare the times of `AutoSeconds` and `Seconds`."""
    plain, auto = alternating(
        [
            partial(started.measured, service, 128)
            for service in ("Seconds", "AutoSeconds")
        ],
        rounds,
    )
    return Comparison(
        'time of 128 subtasks of 1 s with 64 slots, "auto" / plain',
        "s",
        [row.seconds for row in auto],
        [row.seconds for row in plain],
        to_reach="at most 1.05",
    )


def late_completion(started: System, rounds: int) -> Comparison:
    """Measure the CPU time of the worker for a late subtask of a run of 1,000."""
    return Comparison(
        "worker CPU for a late subtask, 1,000 subtasks",
        "ms",
        [late_ms(started, 1_000) for _ in range(rounds)],
        to_reach="at most 30 ms",
    )


def metrics(sizes: Sizes) -> Comparison:
    """Compare the CPU time of `Auto` with metrics to `Auto` without them."""
    with (
        system(hypercorn()) as without,
        system(hypercorn(environment={_METRICS: "0"})) as with_metrics,
    ):
        systems = (without, with_metrics)
        for each in systems:
            each.total("Auto", 300)  # warm up
        forms = [partial(each.measured, "Auto", sizes.auto) for each in systems]
        other, ours = alternating(forms, sizes.rounds)
    return Comparison(
        f'CPU per subtask of {sizes.auto:,}, "auto", with metrics / without',
        "ms",
        [row.cpu_ms for row in ours],
        [row.cpu_ms for row in other],
        to_reach="",
    )


def waiting(count: int) -> list[Comparison]:
    """Measure subtasks that wait for answers, and compare their memory to `Plain`."""
    with system(hypercorn()) as started:
        plain = started.measured("Plain", count)
        result = waited(started, count)
    what = f"{count:,} subtasks wait"
    memory = [plain.worker_mib or 0]
    goal = "at most 30 ms"
    return [
        Comparison(
            f"{what}: worker CPU for an answer", "ms", [result.answer], (), goal
        ),
        Comparison(
            f"{what}: worker CPU per second", "ms", [result.idle], (), "about 0"
        ),
        Comparison(f"{what}: worker memory / plain", "MiB", [result.memory], memory),
    ]


def crowd_over_one(sizes: Sizes) -> Comparison:
    """Compare the rate of a crowd to the rate of runs that are alone."""
    settings = {_INVOKER_LIMIT: str(sizes.limit)}
    with system(hypercorn(), settings=settings) as started:
        started.total("Plain", 300)  # warm up
        one, many = alternating(
            [
                partial(crowd, started, runs, sizes.subtasks, at_once)
                for runs, at_once in ((_ALONE, 1), (sizes.runs, sizes.runs))
            ],
            sizes.slow_rounds,
        )
    return Comparison(
        f"rate, {sizes.runs} runs of {sizes.subtasks:,} / one run, "
        f"{sizes.limit} concurrent invocations",
        "/s",
        many,
        one,
        to_reach="at least 0.5",
    )
