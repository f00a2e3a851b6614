"""Follow a run until it ends, with a drawing of its progress."""

import time

from parallelizework.cli.bar import Drawing, drawing
from parallelizework.client import Run
from parallelizework.errors import RunFailed, RunNotFinished, Unreachable

_OFTEN, _SELDOM = 0.25, 2.0  # seconds between looks: at first, and in a long run
_SHARE = 0.01  # of the time it has taken: a look a second after 100 s


def follow(run: Run[bytes], timeout: float | None = None) -> bytes:
    """Show a run's progress until it has ended; answer with its result.

    Raises:
        RunFailed: It ended without one.
        RunNotFinished: `timeout` seconds were not enough.
    """
    with drawing() as drawn:
        try:
            result = _awaited(run, drawn, timeout)
        except RunFailed:
            _look(run, drawn)
            raise
        _look(run, drawn)
    return result


def _awaited(run: Run[bytes], drawn: Drawing, timeout: float | None) -> bytes:
    started = time.monotonic()
    while True:
        _look(run, drawn)
        elapsed = time.monotonic() - started
        left = float("inf") if timeout is None else timeout - elapsed
        seconds = min(max(_OFTEN, elapsed * _SHARE), _SELDOM, max(left, 0))
        try:
            return run.result(seconds)
        except RunNotFinished:
            if left <= seconds:
                raise


def _look(run: Run[bytes], drawn: Drawing) -> None:
    try:
        progress = run.progress()
    except Unreachable as error:  # the run waits, and so do we
        drawn.say(str(error))
        return
    drawn.show(progress)
    if progress.paused and not progress.ended:
        drawn.say(_paused(run))


def _paused(run: Run[bytes]) -> str:
    """What has paused calls of a run, and what to type."""
    errors = [paused.error for paused in run.paused() if paused.error]
    cause = f" ({errors[0]})" if errors else ""
    return (
        f"calls of {run.id} are paused{cause}: fix the cause, then "
        f"`parallelizework resume {run.id}`"
    )
