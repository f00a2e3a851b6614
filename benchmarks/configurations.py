"""`Configuration`: a server and a worker with other settings than the usual ones."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from benchmarks.alternation import Comparison, alternating
from benchmarks.measurement import Measured, median, note
from benchmarks.systems import system
from benchmarks.workers import Worker, granian, granian_is_installed, hypercorn


@dataclass(frozen=True)
class Configuration:
    """A server and a worker.

    Attributes:
        name: The name in a table.
        worker: The worker.
        settings: Additional environment variables for the server.
    """

    name: str
    worker: Worker
    settings: Mapping[str, str] = field(default_factory=dict[str, str])


# One partition, no protocol v7, hypercorn, one process.
USUAL = Configuration("usual settings", hypercorn())
OTHERS = [
    Configuration(
        "protocol v7",
        hypercorn(),
        {"RESTATE_EXPERIMENTAL_ENABLE_PROTOCOL_V7": "true"},
    ),
    Configuration("4 partitions", hypercorn(), {"RESTATE_DEFAULT_NUM_PARTITIONS": "4"}),
    Configuration("hypercorn, 2 processes", hypercorn(processes=2)),
]
GRANIAN = [
    Configuration("granian, 1 process", granian(1)),
    Configuration("granian, 2 processes", granian(2)),
]


def configurations() -> list[Configuration]:
    """Return all configurations that this machine can run; the usual one is first."""
    if granian_is_installed():
        return [USUAL, *OTHERS, *GRANIAN]
    note("granian is skipped: no program granian")
    return [USUAL, *OTHERS]


def measured_configurations(
    count: int, rounds: int
) -> tuple[list[Measured], list[Comparison]]:
    """Run `Plain` in all configurations, which alternate.

    All servers and workers run at the same time, but only one of them has work.

    Returns:
        The medians of each configuration, and its comparisons to the usual one.
    """
    used = configurations()
    with ExitStack() as stack:
        forms = [
            partial(
                stack.enter_context(
                    system(each.worker, settings=each.settings)
                ).measured,
                "Plain",
                count,
                name=f"Plain, {each.name}",
            )
            for each in used
        ]
        alternating(forms, 1)  # warm up
        usual, *others = alternating(forms, rounds)
    rows = list(map(median, [usual, *others]))
    return rows, [each for other in others for each in _compared(other, usual)]


def _compared(other: Sequence[Measured], usual: Sequence[Measured]) -> list[Comparison]:
    what = f"{other[0].name} / usual settings"
    return [
        Comparison(
            f"{what}: CPU",
            "ms",
            [row.cpu_ms for row in other],
            [row.cpu_ms for row in usual],
        ),
        Comparison(
            f"{what}: rate",
            "/s",
            [row.rate for row in other],
            [row.rate for row in usual],
        ),
    ]
