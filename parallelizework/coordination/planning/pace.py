"""`Pace`: how fast the subtasks of a run end, as far as a coordinator knows. Pure."""

from collections.abc import Sequence
from math import ceil

from pydantic_core import to_json

_BATCH_SECONDS = 0.25  # how long a batch shall take
_BATCH_BYTES = 4 * 1024 * 1024  # the size of its items or values: far below any limit
_MAX_BATCH = 128  # items; more would hardly save anything


class Pace:
    """How fast the subtasks of a run end.

    A coordinator learns it from outcomes and from timers. Both are in its journal, so a
    replay learns the same.

    Attributes:
        is_slow: Whether the subtasks take so long that coordinators wait most of the
            time; None if that is not known yet.
        seconds: How long one subtask takes; None if that is not known yet.
    """

    def __init__(
        self, *, is_slow: bool | None = None, seconds: float | None = None
    ) -> None:
        self.is_slow = is_slow
        self.seconds = seconds

    def begin(self, *, is_slow: bool | None, seconds: float | None) -> None:
        """Learn what the caller of the coordinator knows.

        Args:
            is_slow: Whether the subtasks are slow; None if the caller does not know.
            seconds: How long one subtask takes; None if the caller does not know.
        """
        self.seconds = seconds
        if is_slow is not None:
            self.is_slow = is_slow

    def add(self, seconds: float) -> None:
        """Learn how long the subtasks of one batch took.

        Slower subtasks count at once, faster ones gradually: a batch that is too large
        delays the run, one that is too small only costs a little.
        """
        before = seconds if self.seconds is None else self.seconds
        self.seconds = max(seconds, (before + seconds) / 2)

    def batch(
        self, items: Sequence[object], start: int, slots: int, at_once: int
    ) -> int:
        """Return the size of the next batch: 1 while nothing is known.

        Args:
            items: The items, as plain JSON.
            start: The position of the first item that has no call yet.
            slots: How many items of a batch are executed at the same time.
            at_once: How many batches are executed at the same time. Each of them shall
                have a part of the items.
        """
        if self.seconds is None:
            return 1
        in_time = _BATCH_SECONDS * slots / max(self.seconds, 1e-9)
        share = ceil((len(items) - start) / at_once)
        size = max(1, int(min(in_time, _MAX_BATCH, share)))
        while size > 1 and len(to_json(items[start : start + size])) > _BATCH_BYTES:
            size //= 2
        return size


def seconds_of_one(seconds: float, size: int, items: int, slots: int) -> float:
    """Return how long one subtask of a batch took, on one slot.

    A large subtask or value counts as a slow one, so that batches stay small.

    Args:
        seconds: How long the batch took.
        size: The size of the subtasks and of their values as JSON, in bytes.
        items: The number of subtasks.
        slots: How many subtasks of the batch were executed at the same time, at most.
    """
    slots = min(items, slots)
    return max(seconds, _BATCH_SECONDS * size / _BATCH_BYTES) * slots / items
