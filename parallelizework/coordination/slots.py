"""`Slots`: how many subtasks a coordinator and its calls may be executing. Pure.

`messages.py` says how coordinators lease slots to each other and return them.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Call = TypeVar("Call", bound=Hashable)

_STEPS = 16  # in which a coordinator returns its slots, about; each costs a report


@dataclass
class _Lease:
    slots: int
    returned: int = 0
    grown: int = 0  # times


class Slots(Generic[Call]):
    """The slots of one coordinator.

    Args:
        total: How many there are at first.
        cost: What the smallest call costs; a lease is a multiple of the cost.

    Attributes:
        free: How many are leased to no call.
    """

    def __init__(self, total: int, cost: int = 1) -> None:
        self.free = total
        self._total = total
        self._cost = cost
        self._leases: dict[Call, _Lease] = {}

    @property
    def returnable(self) -> int:
        """How many to return, where no more calls are to be started.

        Always a multiple of the cost: the caller could lease no rest of it, and would
        take back too much at the end.
        """
        step = max(1, self._total // self._cost // _STEPS) * self._cost
        return self.free // step * step

    def add(self, slots: int) -> None:
        """Add free slots."""
        self._total += slots
        self.free += slots

    def lease(self, call: Call, share: int) -> int:
        """Lease free slots to a call: its share, or as many as are free.

        Returns:
            How many slots the call has now.
        """
        slots = min(self.free - self.free % self._cost, share)
        self._leases[call] = _Lease(slots)
        self.free -= slots
        return slots

    def grow(self, most: int) -> Iterator[tuple[Call, int, int]]:
        """Lease free slots to calls that have fewer than `most`.

        Calls that have returned slots are skipped.

        Yields:
            A call, how often its lease has grown before, and how many slots are added.
        """
        for call, lease in self._leases.items():
            if self.free < self._cost:
                return
            slots = min(self.free, most - lease.slots)
            slots -= slots % self._cost
            if slots > 0 and not lease.returned:
                yield call, lease.grown, slots
                lease.slots += slots
                lease.grown += 1
                self.free -= slots

    def take_back(self, call: Call, returned: int) -> None:
        """Free the slots that a call has returned so far."""
        lease = self._leases[call]
        self.free += max(0, returned - lease.returned)
        lease.returned = max(returned, lease.returned)

    def end(self, call: Call) -> None:
        """Free all slots of a call."""
        lease = self._leases.pop(call)
        self.free += lease.slots - lease.returned
