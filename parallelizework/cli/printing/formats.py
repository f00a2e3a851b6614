"""Texts for progress, rates, times and tables."""

from collections.abc import Iterable

from parallelizework.client.models import Progress

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def progress_line(progress: Progress) -> str:
    """Progress and its note in one line: `running: 4 of 100 succeeded, 5%, 3.2/s`."""
    return _line(progress, unanswered(progress.unanswered))


def numbers_line(progress: Progress) -> str:
    """Progress as one line, without the note that no worker answers."""
    return _line(progress)


def _line(progress: Progress, note: str = "") -> str:
    parts = [counted(progress)]
    if not progress.ended:
        if progress.percent is not None:
            parts.append(f"{int(progress.percent)}%")
        if progress.rate is not None:
            parts.append(f"{rate(progress.rate)}/s")
        if progress.eta is not None:
            parts.append(f"ETA {clock(progress.eta)}")
    details = ", ".join(part for part in [*parts, note] if part)
    return f"{progress.state}: {details}" if details else progress.state


def counted(progress: Progress) -> str:
    """The counts of subtasks by outcome: `4 of 100 succeeded, 1 failed`."""
    others = {
        "failed": progress.failed,
        "timed out": progress.timed_out,
        "cancelled": progress.cancelled,
        "paused": progress.paused,
        "waiting": progress.waiting,
    }
    parts = [f"{count} {how}" for how, count in others.items() if count]
    if progress.total is not None:
        parts.insert(0, f"{progress.succeeded} of {progress.total} succeeded")
    elif progress.done or progress.cancelled:
        parts.insert(0, f"{progress.succeeded} succeeded")
    return ", ".join(parts)


def unanswered(services: Iterable[str]) -> str:
    """The note that no worker answers for some services; empty without services."""
    names = " and ".join(services)
    return f"no worker answers for {names} (`parallelizework doctor`)" if names else ""


def rate(per_second: float) -> str:
    """A rate per second: one decimal below ten, none from ten on."""
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.1f}"  # noqa: PLR2004


def clock(seconds: float) -> str:
    """A duration as `0:05`, `12:34` or `1:02:03`."""
    minutes, rest = divmod(max(round(seconds), 0), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def age(seconds: float) -> str:
    """An age as `5s`, `12m`, `3h` or `2d`."""
    for unit, size in (("d", _DAY), ("h", _HOUR), ("m", _MINUTE)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows as a table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
