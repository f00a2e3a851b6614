"""Show the progress of a run on stderr: a bar on a terminal, otherwise lines."""

import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console, RenderableType
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from parallelizework.cli.printing import formats
from parallelizework.cli.printing.output import note
from parallelizework.client.models import Progress

_INTERVAL = 1.0  # seconds between two lines, if stderr is not a terminal


class Display(ABC):
    """Shows the progress of a run, and notes about it."""

    def __init__(self) -> None:
        self._notes: set[str] = set()

    @abstractmethod
    def show(self, progress: Progress) -> None:
        """Show the current progress."""

    def note_once(self, text: str) -> None:
        """Print a note, unless it was printed before."""
        if text not in self._notes:
            self._notes.add(text)
            self._print(text)

    def _print(self, text: str) -> None:
        note(text)


@contextmanager
def display() -> Generator[Display, None, None]:
    """A bar if stderr is a terminal; otherwise lines."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines()
        return
    with Rows(console) as rows:
        yield Bar(rows)


class Lines(Display):
    """Prints a line when the progress has changed, at most one a second."""

    def __init__(self) -> None:
        super().__init__()
        self._last_line: str = ""
        self._printed_at: float = 0.0

    def show(self, progress: Progress) -> None:
        """Print the progress if it has changed; the last one is always printed."""
        line = formats.progress_line(progress)
        is_due = time.monotonic() >= self._printed_at + _INTERVAL or progress.ended
        if line == self._last_line or not is_due:
            return
        self._last_line, self._printed_at = line, time.monotonic()
        note(line)


class Rows(RichProgress):
    """The row of the bar and, below it, a note in its full length."""

    note = ""

    def __init__(self, console: Console) -> None:
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[text]}", markup=False),
            console=console,
            redirect_stdout=False,  # results go to stdout itself
            redirect_stderr=False,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """The rows that rich draws."""
        yield from super().get_renderables()
        if self.note:
            yield Text(self.note)


class Bar(Display):
    """A progress bar in one line."""

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self._rows = rows
        self._task = rows.add_task("", total=None, text="")

    def show(self, progress: Progress) -> None:
        """Draw the bar."""
        self._rows.note = formats.unanswered(progress.unanswered)
        self._rows.update(
            self._task,
            description=progress.fan_out,
            total=_length(progress),
            completed=progress.done,
            text=bar_text(progress, datetime.now(UTC)),
        )
        self._rows.refresh()

    def _print(self, text: str) -> None:
        self._rows.console.print(text, markup=False, soft_wrap=True)


def bar_text(progress: Progress, now: datetime) -> str:
    """The text at the right of the bar."""
    line = formats.numbers_line(progress)
    if progress.started is None or progress.state == "scheduled":
        return line
    until = progress.updated if progress.ended and progress.updated else now
    return (
        f"{line}, elapsed {formats.clock((until - progress.started).total_seconds())}"
    )


def _length(progress: Progress) -> float | None:
    """The length of the bar; None while the total is not known: then the bar pulses."""
    if progress.state == "succeeded":
        return max(progress.done, 1) if progress.done else 0
    return progress.total
