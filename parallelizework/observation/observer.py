"""`Observer`: is called when a worker executes something. `observe` adds an observer.

Without an observer, an observed block costs about as much as a call of a function.
"""

import logging
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from parallelizework.observation.observed import (
    ObservedAttempt,
    ObservedBatch,
    SubtaskStatus,
)
from parallelizework.progress.models import State

_NOTHING = nullcontext()
_FAILED = "an observer failed: %r"
_logger = logging.getLogger(__name__)


class Observer:
    """The base class of observers. Each method does nothing.

    The methods are called in the event loop of the worker. A replay calls no method.
    After a crash, a method may be called again for work whose record was lost.
    """

    def attempt(self, attempt: ObservedAttempt) -> AbstractContextManager[None]:
        """Return a context manager around an attempt; the status is set at its exit."""
        return _NOTHING

    def batch(self, batch: ObservedBatch) -> AbstractContextManager[None]:
        """Return a context manager around the execution of a batch."""
        return _NOTHING

    def subtask_ended(
        self, service: str, status: SubtaskStatus, *, has_waited: bool
    ) -> None:
        """A subtask has ended, or waits for an answer now.

        Args:
            service: The name of the service.
            status: The outcome; `waiting` if the subtask waits now.
            has_waited: Whether the subtask waited for an answer before.
        """

    def run_started(self, service: str) -> None:
        """A run of a fan-out has started."""

    def run_ended(self, service: str, state: State) -> None:
        """A run of a fan-out has ended."""


_observers: tuple[Observer, ...] = ()
_current = ContextVar[ObservedAttempt | None]("parallelizework.attempt", default=None)


def observe(observer: Observer) -> None:
    """Call an observer from now on, in this process."""
    global _observers  # noqa: PLW0603 - a worker process has one set of observers
    _observers += (observer,)


def track_attempts() -> None:
    """Let `current_attempt` know the attempt, also without metrics and traces."""
    observe(Observer())


def current_attempt() -> ObservedAttempt | None:
    """Return the attempt that this code executes, if the process has an observer."""
    return _current.get()


def is_observed() -> bool:
    """Whether the process has an observer."""
    return bool(_observers)


def observed(
    what: ObservedAttempt | ObservedBatch,
) -> AbstractContextManager[None]:
    """Return a context manager around an attempt or a batch, for all observers."""
    return _observed(what) if _observers else _NOTHING


@contextmanager
def _observed(what: ObservedAttempt | ObservedBatch) -> Generator[None]:
    with ExitStack() as stack:
        if isinstance(what, ObservedAttempt):
            token = _current.set(what)
            stack.callback(_current.reset, token)
        for observer in _observers:
            stack.enter_context(_Observation(observer, what))
        yield


class _Observation:
    """A context manager around an attempt or a batch, for one observer.

    An error of the observer does not change the outcome. It is logged.
    """

    def __init__(self, observer: Observer, what: ObservedAttempt | ObservedBatch):
        self._observer = observer
        self._what = what
        self._entered: AbstractContextManager[None] | None = None

    def __enter__(self) -> None:
        what, observer = self._what, self._observer
        is_attempt = isinstance(what, ObservedAttempt)
        try:
            made = observer.attempt(what) if is_attempt else observer.batch(what)
            made.__enter__()
            self._entered = made
        except Exception:
            _logger.exception(_FAILED, observer)

    def __exit__(self, *error: Any) -> None:
        if not self._entered:
            return
        try:
            self._entered.__exit__(*error)
        except Exception as raised:
            if raised is not error[1]:
                _logger.exception(_FAILED, self._observer)


def subtask_ended(
    service: str, status: SubtaskStatus, *, has_waited: bool = False
) -> None:
    """Call all observers: a subtask has ended, or waits for an answer now."""
    _call(lambda each: each.subtask_ended(service, status, has_waited=has_waited))


def run_started(service: str) -> None:
    """Call all observers: a run has started."""
    _call(lambda each: each.run_started(service))


def run_ended(service: str, state: State) -> None:
    """Call all observers: a run has ended."""
    _call(lambda each: each.run_ended(service, state))


def _call(call: Callable[[Observer], None]) -> None:
    for observer in _observers:
        try:
            call(observer)
        except Exception:
            _logger.exception(_FAILED, observer)
