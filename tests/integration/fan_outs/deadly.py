"""Fan-outs whose subtasks end their process, once; and a plain Restate service."""

import ctypes
import os
import signal
from collections.abc import Callable
from typing import Literal

import restate
from pydantic import BaseModel

from parallelizework import FanOut
from tests.integration.fan_outs.ledger import Ledger

End = Literal["kill", "exit", "segfault", "interrupt"]


class Deadly(BaseModel):
    """A subtask of a run: how it ends its process the first time."""

    key: str
    end: End


def interrupt() -> None:
    raise KeyboardInterrupt


ENDS: dict[End, Callable[[], object]] = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda: os._exit(3),
    "segfault": lambda: ctypes.string_at(0),
    "interrupt": interrupt,
}


def one(task: Deadly) -> list[Deadly]:
    return [task]


def once(task: Deadly) -> int:
    """Return the number of executions; the first execution kills its process."""
    times = Ledger(task.key).enter()
    if times == 1:
        ENDS[task.end]()
    return times


async def once_async(task: Deadly) -> int:
    return once(task)


async def once_in_code(_ctx: restate.Context, task: Deadly) -> int:
    return once(task)


def only(values: list[int]) -> int:
    return values[0]


deadly = FanOut("Deadly", split=one, execute=once, aggregate=only)
deadly_async = FanOut("DeadlyAsync", split=one, execute=once_async, aggregate=only)
deadly_code = FanOut("DeadlyCode", split=one, execute=once_in_code, aggregate=only)
greeter = restate.Service("Greeter")


@greeter.handler()
async def greet(_ctx: restate.Context, name: str) -> str:
    return f"Hello {name}"
