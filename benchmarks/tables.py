"""The Markdown tables and the plot of the benchmarks. Pure, except for `plot`."""

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.alternation import Comparison
from benchmarks.first_and_last import FirstAndLast
from benchmarks.measurement import Measured
from benchmarks.small_requests import Requests


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; all columns except the first one are numbers."""
    marks = ["---", *["--:"] * (len(columns) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (columns, marks, *rows))


def comparison_table(comparisons: Iterable[Comparison]) -> str:
    """Return the medians of both forms, their ratio and the spread of the rounds."""
    columns = ["what", "ours", "the other", "ratio", "spread", "to reach"]
    return table(columns, map(_comparison, comparisons))


def _comparison(each: Comparison) -> list[str]:
    smallest, largest = each.spread
    return [
        each.what,
        median_figure(each.ours, each.unit),
        median_figure(each.other, each.unit),
        "" if each.ratio is None else f"{each.ratio:.2f}",
        f"{figure(smallest)} to {figure(largest)}",
        each.to_reach,
    ]


def median_figure(figures: Sequence[float], unit: str) -> str:
    """Return the median with its unit; empty without figures."""
    if not figures:
        return ""
    return f"{figure(statistics.median(figures))} {unit}".strip()


def figure(number: float) -> str:
    """Return a number with two decimals, or with none if it is 100 or more."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.2f}"  # noqa: PLR2004


def run_table(rows: Iterable[Measured]) -> str:
    """Return the duration, the CPU time and the memory of runs."""
    columns = ["what", "subtasks", "seconds", "subtasks/s", "spread of seconds"]
    columns += ["worker CPU ms", "server CPU ms", "worker MiB", "server MiB"]
    return table(columns, map(_run, rows))


def _run(row: Measured) -> list[str]:
    spread = f"{row.shortest:.2f} to {row.longest:.2f}" if row.rounds > 1 else ""
    return [
        row.name,
        f"{row.count:,}",
        f"{row.seconds:.2f}",
        f"{row.rate:,.0f}",
        spread,
        f"{row.worker_ms:.2f}",
        "" if row.server_ms is None else f"{row.server_ms:.2f}",
        str(row.worker_mib or ""),
        str(row.server_mib or ""),
    ]


def request_table(rows: Iterable[Requests]) -> str:
    """Return the durations and the CPU time of requests with four subtasks."""
    columns = ["four subtasks", "clients", "p50 ms", "p99 ms"]
    columns += ["worker CPU ms", "server CPU ms"]
    return table(
        columns,
        (
            [
                row.name,
                str(row.clients),
                f"{row.p50:.1f}",
                f"{row.p99:.1f}",
                f"{row.worker_ms:.1f}",
                f"{row.server_ms:.1f}",
            ]
            for row in rows
        ),
    )


def first_and_last_table(rows: Iterable[FirstAndLast]) -> str:
    """Return the seconds to the first and to the last subtask, and to the result."""
    columns = ["subtasks", "first starts", "last ends", "result"]
    return table(
        columns,
        (
            [
                f"{row.count:,}",
                f"{row.first:.3f}",
                f"{row.last:.3f}",
                f"{row.result:.3f}",
            ]
            for row in rows
        ),
    )


def plot(rows: Sequence[Measured], file: Path) -> None:
    """Plot seconds over subtasks, both logarithmic."""
    import matplotlib as mpl  # noqa: PLC0415 - only `make bench` installs it

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    canvas, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for name in dict.fromkeys(row.name for row in rows):
        points = [row for row in rows if row.name == name]
        axes.loglog(
            [row.count for row in points],
            [row.seconds for row in points],
            "o-",
            label=name,
        )
    axes.set(xlabel="subtasks", ylabel="seconds", title="One run of no-op subtasks")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    canvas.savefig(file, dpi=120)
