"""parallelizework, broken on purpose as FAULTS_SABOTAGE says, to see it caught.

A worker that serves the fan-outs of this module has it broken from then on.
"""

# pyright: reportPrivateUsage=false
# What is broken here is broken from within.

import os
from collections.abc import Callable
from typing import Any

from restate import Context

from parallelizework.attempts.attempt import Attempt
from parallelizework.coordination.calls import Call
from parallelizework.coordination.fan_in import FanIn
from parallelizework.coordination.window import Flight
from parallelizework.execution.execution import Execution
from parallelizework.outcomes import Part
from parallelizework.policy import Policy
from parallelizework.serde import Json
from tests.faults.fan_outs import plain, tolerant

__all__ = ["SABOTAGES", "plain", "tolerant"]


def ignore_what_is_journaled() -> None:
    """A subtask is executed once more, though its value is in the journal."""
    attempts = Execution._attempts

    async def ignoring(
        self: Execution,
        ctx: Context,
        policy: Policy,
        subtask: object,
        value: Json[Any],
    ) -> bytes:
        await attempts(self, ctx, policy, subtask, value)
        attempt = Attempt(1, ctx.request().id)
        return await self._value(policy, value, subtask, attempt)

    Execution._attempts = ignoring


def forget_a_future() -> None:
    """The window does not wait for one of its calls."""
    start = Flight._start

    def forgetting(self: Flight, position: int, call: Call) -> None:
        start(self, position, call)
        if position == 5:
            self._calls.popitem()

    Flight._start = forgetting


def count_a_retried_subtask_twice() -> None:
    """One more outcome is counted than there was, for what fails at first."""
    land = FanIn.land

    async def twice(self: FanIn, position: int, part: Part, size: int = 0) -> None:
        await land(self, position, part, size)
        if position % 10 == 7:
            self.counts += part.counts

    FanIn.land = twice


def mix_up_values() -> None:
    """Two values change places."""
    part = FanIn.part

    async def mixed(self: FanIn) -> Part:
        whole = await part(self)
        values: list[Any] = [*whole.values[1::-1], *whole.values[2:]]
        return whole.model_copy(update={"values": values})

    FanIn.part = mixed


SABOTAGES: dict[str, Callable[[], None]] = {
    "ignore what is journaled": ignore_what_is_journaled,
    "forget a future": forget_a_future,
    "count a retried subtask twice": count_a_retried_subtask_twice,
    "mix up values": mix_up_values,
}

if chosen := os.environ.get("FAULTS_SABOTAGE"):
    SABOTAGES[chosen]()
