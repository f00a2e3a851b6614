"""Progress and times in a few words."""

from parallelizework.answers import Progress

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def progress_line(progress: Progress) -> str:
    """Progress as one line, such as `running: 5 of 100 (5%), 1 failed, 3.2/s`."""
    parts = [counted(progress)]
    if progress.failed or progress.timed_out:
        parts.append(f"{progress.failed + progress.timed_out} failed")
    if progress.cancelled:
        parts.append(f"{progress.cancelled} cancelled")
    if progress.rate is not None and not progress.ended:
        parts.append(f"{rate(progress.rate)}/s")
    if progress.eta is not None and not progress.ended:
        parts.append(f"ETA {clock(progress.eta)}")
    said = ", ".join(part for part in parts if part)
    return f"{progress.state}: {said}" if said else progress.state


def counted(progress: Progress) -> str:
    """How many subtasks have ended, of how many: `5 of 100 (5%)`."""
    if progress.total is None:
        return f"{progress.done} done" if progress.done else ""
    share = f" ({int(progress.percent)}%)" if progress.percent is not None else ""
    return f"{progress.done} of {progress.total}{share}"


def rate(per_second: float) -> str:
    """A rate with as many digits as it deserves."""
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
    """Rows as aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
