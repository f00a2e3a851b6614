"""`partition`: divides units of work into calls. Pure.

A unit of work is a batch (of one or more subtasks), or a shard. A coordinator makes a
limited number of calls for a run of any size. If it has more units than a segment, it
divides them into slices and calls other coordinators. A slice returns the slots that it
no longer needs, so a slow unit does not delay others. Later slices are smaller, so that
all slots have work until the end (guided self-scheduling, Polychronopoulos and Kuck
1987).
"""

from dataclasses import dataclass
from math import ceil

from parallelizework.policy import WINDOW

SEGMENT = 128
_SLICES_AT_ONCE = WINDOW // 2  # slices in flight, while none of them is slow
_UNITS_AT_ONCE = 4
_SLICES = 128  # of a coordinator, if possible: reports and leases are journal entries
_ROUNDS = _SLICES // _SLICES_AT_ONCE  # rounds of slices, one after the other


@dataclass(frozen=True)
class Partition:
    """How a coordinator divides its units into calls.

    Attributes:
        sizes: How many units each call has, in order.
        share: How many units a call may execute at once while other calls are left to
            start.
        most: How many units a call can execute at once, at most.
        direct: Whether each call is one unit. Otherwise each call is a slice for
            another coordinator.
    """

    sizes: tuple[int, ...]
    share: int
    most: int
    direct: bool


def partition(
    units: int,
    at_once: int,
    *,
    wide: bool = False,
    segment: int = SEGMENT,
    slow: bool = False,
) -> Partition:
    """Divide units of work into calls.

    Args:
        units: The number of units.
        at_once: How many units may be executed at the same time.
        wide: Whether one unit can use the slots of several units. True for shards,
            which have many subtasks. False for batches.
        segment: How many units a coordinator calls itself, at most.
        slow: Whether the units take so long that coordinators wait most of the time.
            Then few coordinators are in flight, each with many slots. Otherwise many
            are in flight, each with few slots: each completion then costs less.
    """
    if units <= segment and (wide or min(units, at_once) <= WINDOW):
        share = ceil(at_once / max(1, min(units, WINDOW))) if wide else 1
        most = max(WINDOW, share) if wide else 1
        return Partition((1,) * units, share, most, direct=True)
    units_each = WINDOW if slow else _UNITS_AT_ONCE
    slices = min(_SLICES_AT_ONCE, ceil(at_once / units_each))
    share = ceil(at_once / slices)
    largest = max(segment, ceil(units / _SLICES), share)
    least = min(largest, max(share, units // (_ROUNDS * slices)))
    sizes = tuple(_sizes(units, slices, least, largest))
    return Partition(sizes, share, max(WINDOW, share), direct=False)


def _sizes(units: int, slices: int, least: int, largest: int) -> list[int]:
    sizes: list[int] = []
    while units:
        sizes.append(min(units, largest, max(least, units // slices)))
        units -= sizes[-1]
    return sizes
