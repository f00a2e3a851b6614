"""`interval`: how long to wait between two requests about a run."""

SHORTEST = 0.25  # seconds, at first

_LONGEST = 2.0  # seconds, in a long run
_SHARE = 0.01


def interval(elapsed: float, shortest: float = SHORTEST) -> float:
    """Return the seconds until the next request: a share of the elapsed time.

    Args:
        elapsed: The time since the first request, in seconds.
        shortest: The interval at first, in seconds.
    """
    return min(max(shortest, elapsed * _SHARE), _LONGEST)
