"""Draw the progress of a run on stderr: a bar on a terminal, plain lines elsewhere."""

import time
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress

from parallelizework.cli import formats
from parallelizework.cli.output import note
from parallelizework.client.models import Progress

_LINE_EVERY = 1.0  # seconds, off a terminal: a log is read later


class Drawing(ABC):
    """Something that shows progress."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    @abstractmethod
    def show(self, progress: Progress) -> None:
        """Show how far a run is now."""

    def say(self, text: str) -> None:
        """Print something else, once."""
        if text not in self._said:
            self._said.add(text)
            self._print(text)

    def _print(self, text: str) -> None:
        note(text)


@contextmanager
def drawing() -> Generator[Drawing, None, None]:
    """A bar if stderr is a terminal, otherwise lines."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines()
        return
    with RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[said]}", markup=False),
        console=console,
        redirect_stdout=False,  # a result is not for the bar's console
        redirect_stderr=False,
    ) as rich:
        yield Bar(rich)


class Lines(Drawing):
    """A line when something has changed, at most one a second."""

    def __init__(self) -> None:
        super().__init__()
        self._last: str = ""
        self._at: float = 0.0

    def show(self, progress: Progress) -> None:
        """Print it, if it is news."""
        line = formats.progress_line(progress)
        soon = time.monotonic() < self._at + _LINE_EVERY and not progress.ended
        if line == self._last or soon:
            return
        self._last, self._at = line, time.monotonic()
        note(line)


class Bar(Drawing):
    """One line that fills up."""

    def __init__(self, rich: RichProgress) -> None:
        super().__init__()
        self._rich = rich
        self._task = rich.add_task("", total=None, said="")

    def show(self, progress: Progress) -> None:
        """Draw it."""
        self._rich.update(
            self._task,
            description=progress.fan_out,
            total=_length(progress),
            completed=progress.done,
            said=said(progress, datetime.now(UTC)),
        )
        self._rich.refresh()

    def _print(self, text: str) -> None:
        self._rich.console.print(text, markup=False, soft_wrap=True)


def said(progress: Progress, now: datetime) -> str:
    """What stands beside the bar."""
    line = formats.progress_line(progress)
    if progress.started is None or progress.state == "scheduled":
        return line
    until = progress.updated if progress.ended and progress.updated else now
    return (
        f"{line}, elapsed {formats.clock((until - progress.started).total_seconds())}"
    )


def _length(progress: Progress) -> float | None:
    """Of the bar; None for one that swings, as long as the total is not known."""
    if progress.state == "succeeded":
        return max(progress.done, 1) if progress.done else 0
    return progress.total
