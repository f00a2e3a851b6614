"""`plan`: which units of work go into which call. Pure.

A coordinator makes few calls, however large its run: beyond a segment's worth it hands
whole slices to other coordinators. Places that one of those needs no more go to the
others, so a slow unit holds back none; still the slices shrink towards the end, so that
there is work for all places (guided self-scheduling, Polychronopoulos and Kuck 1987).
"""

from dataclasses import dataclass
from math import ceil

SEGMENT = 1_000  # units one coordinator calls itself: a journal of some 3,000 entries
WINDOW = 64  # calls one coordinator waits for: each wake-up costs time for each of them
_LANES = WINDOW // 2  # slices under way at once, if none of them is held up
_LANE = 4  # places of each, or more: some coordinators side by side cost less than one
_SLICES = 128  # calls one makes for slices, if it can: places that move cost entries
_TURNS = _SLICES // _LANES  # slices of a lane


@dataclass(frozen=True)
class Plan:
    """What a coordinator does with its units.

    Attributes:
        sizes: How many units each call takes, in order.
        share: How many places a call is given, while there are others to be made.
        most: How many places a call can make use of.
        direct: Each call is one unit, rather than a slice for another coordinator.
    """

    sizes: tuple[int, ...]
    share: int
    most: int
    direct: bool


def plan(
    units: int, places: int, *, wide: bool = False, segment: int = SEGMENT
) -> Plan:
    """Plan `units` units of work, of which `places` may be executing at once.

    Args:
        wide: One unit can use several places (a shard), not just one (a subtask).
        segment: How many units a coordinator calls itself, at most.
    """
    if units <= segment and (wide or min(units, places) <= WINDOW):
        share = ceil(places / max(1, min(units, WINDOW))) if wide else 1
        most = max(WINDOW, share) if wide else 1
        return Plan((1,) * units, share, most, direct=True)
    lanes = min(_LANES, ceil(places / _LANE))
    share = ceil(places / lanes)
    largest = max(segment, ceil(units / _SLICES))
    least = min(largest, max(share, units // (_TURNS * lanes)))
    sizes = tuple(_sizes(units, lanes, least, largest))
    return Plan(sizes, share, max(WINDOW, share), direct=False)


def _sizes(units: int, lanes: int, least: int, largest: int) -> list[int]:
    sizes: list[int] = []
    while units:
        sizes.append(min(units, largest, max(least, units // lanes)))
        units -= sizes[-1]
    return sizes
