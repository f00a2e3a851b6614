"""`Pace`: how fast the subtasks of a run end, as far as a coordinator knows. Pure."""

from math import ceil

_BATCH_SECONDS = 0.25  # how long a batch shall take
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

    def add(self, seconds: float) -> None:
        """Learn how long the subtasks of one batch took.

        Slower subtasks count at once, faster ones gradually: a batch that is too large
        delays the run, one that is too small only costs a little.
        """
        before = seconds if self.seconds is None else self.seconds
        self.seconds = max(seconds, (before + seconds) / 2)

    def batch(self, items: int, slots: int, at_once: int) -> int:
        """Return the size of the next batch: 1 while nothing is known.

        Args:
            items: How many items have no call yet.
            slots: How many items of a batch are executed at the same time.
            at_once: How many batches are executed at the same time. Each of them shall
                have a part of the items.
        """
        if self.seconds is None:
            return 1
        in_time = _BATCH_SECONDS * slots / max(self.seconds, 1e-9)
        return max(1, int(min(in_time, _MAX_BATCH, ceil(items / at_once))))
