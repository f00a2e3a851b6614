"""`limit_updates`: how many updates of its progress a run sends, at most."""

from dataclasses import dataclass


@dataclass
class UpdateLimit:
    """The limit for the updates of each run in this process.

    Attributes:
        updates: The largest number of updates, if the number of subtasks is known.
    """

    updates: int = 100  # less than 1 % of the cost of a large run


update_limit = UpdateLimit()
"""The limit for the updates of each run in this process."""


def limit_updates(updates: int) -> None:
    """Set the limit, at the start of the process: a replay needs the same limit."""
    update_limit.updates = updates
