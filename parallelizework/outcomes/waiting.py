"""`Waiting`: a subtask whose value comes later, from outside. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")

_MAX_KEY = 512  # characters
_LONGEST = timedelta(days=3_650)


@dataclass(frozen=True, kw_only=True)
class Waiting(Generic[Value]):
    """A subtask whose value comes later, from outside: from a person or a webhook.

    `execute` may return a `Waiting` instead of a value. Then the subtask waits for its
    answer. It keeps no slot, no thread, no connection and no memory of a worker. The
    return hint of `execute` has both types: `Receipt | Waiting[Receipt]`.

    Without `key`, somebody answers by `FanOutAnswers/{attempt.key}/succeed` or `fail`.
    With `key`, the subtask waits for an event of a webhook.

    Attributes:
        within: How long the subtask waits: longer than 0, at most 10 years. Without an
            answer in this time, the subtask fails with status `timed_out` and code 504.
        key: The event to wait for: `NAME/KEY`, with the name of the webhook and the key
            of the event. Default: the subtask waits for an answer to `attempt.key`.
        remind_every: The pause between two calls of `remind`. Default: `remind` is not
            called.
        reminders: How many times `remind` is called, at most. Default: as often as
            `within` permits.

    Raises:
        ValueError: A field is out of its range.
        TypeError: A duration is no `timedelta`.

    Examples:
        ```python
        def charge(order: Order, attempt: Attempt) -> Receipt | Waiting[Receipt]:
            payment = pay(order, idempotency_key=attempt.key)
            return payment.receipt or Waiting(within=timedelta(days=1))
        ```
    """

    within: timedelta
    key: str | None = None
    remind_every: timedelta | None = None
    reminders: int | None = None

    def __post_init__(self) -> None:
        """Check the fields."""
        _check_duration("within", self.within)
        if self.key is not None:
            _check_key(self.key)
        if self.remind_every is not None:
            _check_duration("remind_every", self.remind_every)
        if self.reminders is None:
            return
        if self.remind_every is None:
            raise ValueError("Waiting has reminders: set remind_every too")
        if self.reminders < 0:
            raise ValueError(f"Waiting: reminders={self.reminders}: use 0 or more")

    @property
    def planned_reminders(self) -> int:
        """How many times `remind` is called if no answer comes."""
        if self.remind_every is None:
            return 0
        possible = -(-self.within // self.remind_every) - 1  # before `within` is over
        return possible if self.reminders is None else min(possible, self.reminders)


def _check_key(key: str) -> None:
    name, slash, event = key.partition("/")
    if not (name and slash and event) or len(key) > _MAX_KEY:
        raise ValueError(
            f"Waiting: key={key!r:.100}: use WEBHOOK/KEY, with the name of a webhook "
            f"and the key of an event, and at most {_MAX_KEY} characters"
        )


def _check_duration(name: str, duration: timedelta) -> None:
    if not isinstance(duration, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance] - of a user
        raise TypeError(f"Waiting: {name}={duration!r:.100}: use a timedelta")
    if not timedelta(0) < duration <= _LONGEST:
        raise ValueError(
            f"Waiting: {name}={duration}: use more than 0 and at most 3650 days"
        )


@dataclass(frozen=True)
class Reminder:
    """One call of `remind`: the second parameter of `remind`.

    Attributes:
        number: The number of the call; 1 for the first one.
        is_last: Whether no other call follows.
        key: The key of the answer for which the subtask waits: `attempt.key`, or the
            `key` of the `Waiting`.
    """

    number: int
    is_last: bool
    key: str


@dataclass(frozen=True)
class Event:
    """An event from outside: the second parameter of `receive`.

    Attributes:
        data: What the event says, as plain JSON.
        id: The id of the event; None if it has no id.
    """

    data: Any
    id: str | None = None
