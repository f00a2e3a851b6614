"""Defects of parallelizework, made on purpose, that the suite must detect.

FAULTS_SABOTAGE names the defect. A worker that imports this module has the defect.
"""

# pyright: reportPrivateUsage=false
# The defects replace private methods.

import os
from collections.abc import Callable
from typing import Any

from restate import Context

from parallelizework.coordination.calls import Call
from parallelizework.coordination.fan_in import FanIn
from parallelizework.coordination.window import Window
from parallelizework.execution.subtask import SubtaskHandler
from parallelizework.messages import Outcomes
from tests.faults.fan_outs import plain, tolerant

__all__ = ["SABOTAGES", "plain", "tolerant"]


def ignore_the_journal() -> None:
    """A subtask is executed again, although its value is in the journal."""
    run_subtask = SubtaskHandler.run_subtask

    async def ignoring(self: SubtaskHandler, ctx: Context, body: bytes) -> bytes:
        await run_subtask(self, ctx, body)
        this = self._definition
        subtask, _ = this.accept(body, ctx.request().headers)
        return this.value_json.serialize(await this.function(subtask))

    SubtaskHandler.run_subtask = ignoring


def forget_a_future() -> None:
    """The window does not wait for one of its calls."""
    start = Window._start

    def forgetting(self: Window, call: Call) -> None:
        start(self, call)
        if call.position == 5:
            _, forgotten = self.in_flight.popitem()
            self._events.drop(forgotten.future)

    Window._start = forgetting


def count_a_retried_subtask_twice() -> None:
    """The outcome of a subtask that is retried is counted twice."""
    add = FanIn.add

    async def twice(
        self: FanIn, position: int, outcomes: Outcomes, size: int = 0
    ) -> None:
        await add(self, position, outcomes, size)
        if position % 10 == 7:
            self.counts += outcomes.counts

    FanIn.add = twice


def mix_up_values() -> None:
    """Two values are exchanged."""
    outcomes = FanIn.outcomes

    async def mixed(self: FanIn) -> Outcomes:
        whole = await outcomes(self)
        values: list[Any] = [*whole.values[1::-1], *whole.values[2:]]
        return whole.model_copy(update={"values": values})

    FanIn.outcomes = mixed


SABOTAGES: dict[str, Callable[[], None]] = {
    "ignore the journal": ignore_the_journal,
    "forget a future": forget_a_future,
    "count a retried subtask twice": count_a_retried_subtask_twice,
    "mix up values": mix_up_values,
}

if chosen := os.environ.get("FAULTS_SABOTAGE"):
    SABOTAGES[chosen]()
