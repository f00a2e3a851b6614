"""`FirstAndLast`: the time to the first and to the last subtask of a run."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measurement import note
from benchmarks.systems import System


@dataclass(frozen=True)
class FirstAndLast:
    """The times of one run, or the medians of several runs.

    Attributes:
        count: The number of subtasks.
        first: The seconds from the request to the start of the first subtask.
        last: The seconds from the request to the end of the last subtask.
        result: The seconds from the request to its result.
    """

    count: int
    first: float
    last: float
    result: float


def first_and_last(system: System, count: int) -> FirstAndLast:
    """Run `count` no-op subtasks, and measure."""
    start = time.time_ns()
    first, last = system.run("Timed", count)
    moments = (first, last, time.time_ns())
    row = FirstAndLast(count, *((moment - start) / 1e9 for moment in moments))
    note(f"{count:,} subtasks: first {row.first:.3f} s, last {row.last:.3f} s")
    return row


def median(rows: Sequence[FirstAndLast]) -> FirstAndLast:
    """Return the medians of several runs of the same size."""
    return FirstAndLast(
        rows[0].count,
        statistics.median(row.first for row in rows),
        statistics.median(row.last for row in rows),
        statistics.median(row.result for row in rows),
    )
