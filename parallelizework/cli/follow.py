"""Follow a run until it ends, and show its progress."""

import time

from parallelizework.cli.printing.bar import Display, display
from parallelizework.client import Progress, Run
from parallelizework.client.polling import interval
from parallelizework.errors import Refused, RunFailed, RunNotFinished, Unreachable


def follow(run: Run[bytes], timeout: float | None = None) -> bytes:
    """Show the progress of a run until the run ends, and return its result.

    Raises:
        RunFailed: The run ended without a result.
        RunNotFinished: The run did not end within `timeout` seconds.
    """
    with display() as shown:
        try:
            result = _awaited(run, shown, timeout)
        except RunFailed:
            _show_progress(run, shown)
            raise
        _show_progress(run, shown)
    return result


def _awaited(run: Run[bytes], shown: Display, timeout: float | None) -> bytes:
    started = time.monotonic()
    while True:
        _show_progress(run, shown)
        elapsed = time.monotonic() - started
        left = float("inf") if timeout is None else timeout - elapsed
        seconds = min(interval(elapsed), max(left, 0))
        try:
            return run.result(seconds)
        except RunNotFinished:
            if left <= seconds:
                raise


def _show_progress(run: Run[bytes], shown: Display) -> None:
    try:
        _show(run, run.progress(), shown)
    except (Unreachable, Refused) as error:  # ask again later
        shown.note_once(str(error))


def _show(run: Run[bytes], progress: Progress, shown: Display) -> None:
    shown.show(progress)
    if progress.state == "held":
        shown.note_once(
            f"{run.id} would fail: {progress.error}. It waits for `parallelizework "
            f"redrive {run.id}`, or for `parallelizework settle {run.id}`"
        )
    if progress.paused and not progress.ended:
        shown.note_once(_paused(run))


def _paused(run: Run[bytes]) -> str:
    """The note about the paused calls of a run, with the first error and the remedy."""
    errors = [paused.error for paused in run.paused() if paused.error]
    cause = f" ({errors[0]})" if errors else ""
    return (
        f"calls of {run.id} are paused{cause}. Fix the cause, then run "
        f"`parallelizework resume {run.id}`"
    )
