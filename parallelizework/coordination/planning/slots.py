"""`Slots`: counts which slots of a coordinator are free, and which are leased. Pure.

`messages.py` describes how coordinators lease and return slots.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Call = TypeVar("Call", bound=Hashable)

# A coordinator returns all of its slots in about 16 steps. Each step costs one report.
_STEPS = 8


@dataclass
class _Lease:
    slots: int  # leased so far, including the returned ones
    share: int
    most: int
    returned: int = 0
    grown: int = 0  # how often slots were added


class Slots(Generic[Call]):
    """The slots of one coordinator.

    Args:
        total: How many slots the coordinator has at first.
        cost: How many slots the smallest call costs. Each lease is a multiple of it.

    Attributes:
        free: How many slots are not leased to a call.
        busy: How many calls have slots.
    """

    def __init__(self, total: int, cost: int = 1) -> None:
        self.free = total
        self.busy = 0
        self._total = total
        self._cost = cost
        self._leases: dict[Call, _Lease] = {}
        self._growing = 0  # the number of calls that can use more than the cost

    @property
    def returnable(self) -> int:
        """How many slots to return, when no more calls are to be started.

        Always a multiple of the cost. The caller could not lease a remainder to
        another call, and would free too many slots at the end.
        """
        if not self.busy:
            return self.free - self.free % self._cost
        step = max(1, self._total // self._cost // _STEPS) * self._cost
        return self.free // step * step

    def add(self, slots: int) -> None:
        """Add free slots."""
        self._total += slots
        self.free += slots

    def lease(self, call: Call, share: int, most: int) -> int:
        """Lease free slots to a new call: its share, or fewer if fewer are free.

        Args:
            call: The call.
            share: How many slots the call may have while others are left to start.
            most: How many slots the call can use at most.

        Returns:
            How many slots the call has now.
        """
        slots = min(self.free - self.free % self._cost, share)
        self._leases[call] = _Lease(slots, share, most)
        self._growing += most > self._cost
        self.busy += 1
        self.free -= slots
        return slots

    def grow(self, *, beyond_share: bool) -> Iterator[tuple[Call, int, int]]:
        """Lease more slots to calls that have less than their share, or can use more.

        Calls that have returned slots receive none.

        Yields:
            A call, how often its lease has grown before, and how many slots are added.
        """
        if not self._growing:
            return
        for call, lease in self._leases.items():
            if self.free < self._cost:
                return
            limit = lease.most if beyond_share else lease.share
            slots = min(self.free, limit - lease.slots)
            slots -= slots % self._cost
            if slots > 0 and not lease.returned:
                yield call, lease.grown, slots
                lease.slots += slots
                lease.grown += 1
                self.free -= slots

    def take_back(self, call: Call, returned: int) -> None:
        """Free the slots that a call has returned since its last report.

        Args:
            call: The call.
            returned: How many slots the call has returned so far.
        """
        lease = self._leases[call]
        self.free += max(0, returned - lease.returned)
        if lease.returned < lease.slots <= returned:
            self.busy -= 1
        lease.returned = max(returned, lease.returned)

    def end(self, call: Call) -> None:
        """Free all slots of a call that has ended."""
        lease = self._leases.pop(call)
        self.free += lease.slots - lease.returned
        self.busy -= lease.returned < lease.slots
        self._growing -= lease.most > self._cost
