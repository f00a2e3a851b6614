"""`FanOutSchedule` and a fan-out, in a worker whose clock is 0.4 s behind the server's.

The clock is that of `ctx.time()`. The SDK computes the time of a delayed message by the
clock of the machine, so a tick arrives at its time by the clock of the server.
"""

import time
from types import SimpleNamespace

from restate import server_context

from parallelizework.schedules import schedules
from tests.integration.schedules.fan_out import scheduled

__all__ = ["scheduled", "schedules"]

BEHIND = 0.4  # seconds

server_context.time = SimpleNamespace(time=lambda: time.time() - BEHIND)  # pyright: ignore[reportPrivateImportUsage] - a module
