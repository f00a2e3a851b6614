"""`partition`: which units of work go into which call. Pure.

A coordinator makes few calls, however large its run: beyond a segment's worth it hands
whole slices to other coordinators. Slots that a slice needs no more go to the others,
so a slow unit holds back none. Still the slices shrink towards the end, so that there
is work for all slots (guided self-scheduling, Polychronopoulos and Kuck 1987).
"""

from dataclasses import dataclass
from math import ceil

from parallelizework.policy import WINDOW

SEGMENT = 1_000  # units one coordinator calls itself: a journal of some 3,000 entries
_SLICES_AT_ONCE = WINDOW // 2  # in flight, while none of them is slow
_UNITS_AT_ONCE = 4  # that a slice executes, about: a coordinator must be worth it
_SLICES = 128  # calls of a coordinator, if possible: a lease that grows costs entries
_ROUNDS = _SLICES // _SLICES_AT_ONCE  # of slices in flight, one after the other


@dataclass(frozen=True)
class Partition:
    """How a coordinator divides its units into calls.

    Attributes:
        sizes: How many units each call takes, in order.
        share: How many units a call may execute at once, while there are others to
            start.
        most: How many units a call can execute at once.
        direct: Each call is one unit, rather than a slice for another coordinator.
    """

    sizes: tuple[int, ...]
    share: int
    most: int
    direct: bool


def partition(
    units: int, at_once: int, *, wide: bool = False, segment: int = SEGMENT
) -> Partition:
    """Divide `units` units of work, of which `at_once` may be executing at once.

    Args:
        wide: One unit can use the slots of several (a shard), not just its own (a
            subtask).
        segment: How many units a coordinator calls itself, at most.
    """
    if units <= segment and (wide or min(units, at_once) <= WINDOW):
        share = ceil(at_once / max(1, min(units, WINDOW))) if wide else 1
        most = max(WINDOW, share) if wide else 1
        return Partition((1,) * units, share, most, direct=True)
    slices = min(_SLICES_AT_ONCE, ceil(at_once / _UNITS_AT_ONCE))
    share = ceil(at_once / slices)
    largest = max(segment, ceil(units / _SLICES))
    least = min(largest, max(share, units // (_ROUNDS * slices)))
    sizes = tuple(_sizes(units, slices, least, largest))
    return Partition(sizes, share, max(WINDOW, share), direct=False)


def _sizes(units: int, slices: int, least: int, largest: int) -> list[int]:
    sizes: list[int] = []
    while units:
        sizes.append(min(units, largest, max(least, units // slices)))
        units -= sizes[-1]
    return sizes
