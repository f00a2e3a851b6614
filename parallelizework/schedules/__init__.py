"""Schedules: start runs at the times of a cron expression, or at intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parallelizework.errors import extras_named

if TYPE_CHECKING:
    from restate import VirtualObject

    schedules: VirtualObject
    """The virtual object `FanOutSchedule`: serve it together with your fan-outs."""

__all__ = ["schedules"]

if not TYPE_CHECKING:  # with `__getattr__`, type checkers would accept any name

    def __getattr__(name: str) -> object:
        """Import `schedules` at its first use: a client needs neither restate nor cron.

        Raises:
            ExtraMissing: The extra `schedule` or `worker` is not installed.
        """
        if name != "schedules":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        with extras_named():
            from parallelizework.schedules import virtual_object  # noqa: PLC0415
        globals()[name] = virtual_object.schedules_object()
        return globals()[name]
