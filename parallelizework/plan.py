"""`plan`: which units of work go into which call. Pure.

A coordinator makes few calls, however large its run: beyond a segment's worth it hands
whole slices to other coordinators. The slices shrink towards the end, so that those
who take the last ones finish together (guided self-scheduling, Polychronopoulos and
Kuck 1987), but not below a sixteenth of a fair share, which bounds their number.
"""

from dataclasses import dataclass
from math import ceil

SEGMENT = 1_000  # units one coordinator calls itself: a journal of some 3,000 entries
WINDOW = 64  # calls one coordinator waits for: each wake-up costs time for each of them
_TURNS = 128  # units a place executes in turn: to resume, it is sent all of them again
_SLICES = 16  # slices that one place in the window takes, at most


@dataclass(frozen=True)
class Plan:
    """What a coordinator does with its units.

    Attributes:
        sizes: How many units each call takes, in order.
        window: How many calls are in flight at once.
        slots: How many units each call may be executing at once; `window * slots` is
            never more than the coordinator has.
        direct: Each call is one unit, rather than a slice for another coordinator.
    """

    sizes: tuple[int, ...]
    window: int
    slots: int
    direct: bool


def plan(units: int, slots: int, *, wide: bool = False, segment: int = SEGMENT) -> Plan:
    """Plan `units` units of work, of which `slots` may be executing at once.

    Args:
        wide: One unit can use several slots (a shard), not just one (a subtask).
        segment: How many units a coordinator calls itself, at most.
    """
    window, share = _window(units, slots)
    if units <= segment and (wide or share == 1 or units <= WINDOW):
        return Plan((1,) * units, window, share if wide else 1, direct=True)
    least, most = (1, segment) if wide else (share, min(segment, _TURNS * share))
    sizes = tuple(_sizes(units, window, least, most))
    return Plan(sizes, window, share, direct=False)


def _window(units: int, slots: int) -> tuple[int, int]:
    """How many calls, with how many slots each."""
    if units <= WINDOW:
        window = max(1, min(units, slots))
        return window, slots // window
    share = ceil(slots / WINDOW)
    return slots // share, share


def _sizes(units: int, window: int, least: int, most: int) -> list[int]:
    least = max(least, units // (_SLICES * window))
    most = max(most, least)
    sizes: list[int] = []
    while units:
        sizes.append(min(units, most, max(least, units // window)))
        units -= sizes[-1]
    return sizes
