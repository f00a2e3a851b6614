"""`Places`: who may be executing how much. Pure.

A place is what one subtask, or one batch, needs to be executed. A coordinator has some,
and gives them to its calls: one to that of a subtask, several to another coordinator.
That one gives back what it will need no more, long before its last subtask ends.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

_STEPS = 16  # in which a coordinator gives its places back: each is told for itself


@dataclass
class _Lease:
    given: int
    returned: int = 0
    raised: int = 0  # times


class Places(Generic[Key]):
    """The places of one coordinator.

    Args:
        count: How many it has to begin with.

    Attributes:
        free: How many nobody has.
    """

    def __init__(self, count: int) -> None:
        self.free = count
        self._count = count
        self._leases: dict[Key, _Lease] = {}

    @property
    def spare(self) -> int:
        """How many to give back, where no call will need them any more."""
        step = max(1, self._count // _STEPS)
        return self.free // step * step

    def add(self, count: int) -> None:
        """Have some more."""
        self._count += count
        self.free += count

    def lease(self, call: Key, count: int) -> None:
        """Give a call some of the free ones."""
        self._leases[call] = _Lease(count)
        self.free -= count

    def raises(self, most: int) -> Iterator[tuple[Key, int, int]]:
        """Give free ones to calls that have less than `most`.

        One that has given some back needs none.

        Yields:
            A call, how often it has been given more before, and how many it is given.
        """
        for call, lease in self._leases.items():
            count = min(self.free, most - lease.given)
            if count > 0 and not lease.returned:
                yield call, lease.raised, count
                lease.given += count
                lease.raised += 1
                self.free -= count

    def returned(self, call: Key, count: int) -> None:
        """Take back those that a call has returned so far."""
        lease = self._leases[call]
        self.free += max(0, count - lease.returned)
        lease.returned = max(count, lease.returned)

    def end(self, call: Key) -> None:
        """Take back all that a call has."""
        lease = self._leases.pop(call)
        self.free += lease.given - lease.returned
