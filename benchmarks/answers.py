"""`Waited`: what subtasks cost that wait for an answer, and what an answer costs."""

import time
from dataclasses import dataclass

from benchmarks.measurement import note
from benchmarks.systems import System
from parallelizework.client import Client

_SERVICE = "Answered"
_IDLE = 5.0  # seconds
_ANSWERS = 10  # late ones: each finds its coordinator suspended
_APART = 0.7  # seconds
_LONGEST = 300.0  # seconds until all subtasks wait


@dataclass(frozen=True)
class Waited:
    """The costs of subtasks that wait, all for the worker.

    Attributes:
        memory: The peak memory, from the start of the run on, in MiB.
        idle: The CPU time while all subtasks wait, in milliseconds per second.
        answer: The CPU time for a late answer, in milliseconds.
    """

    memory: float
    idle: float
    answer: float


def waited(system: System, count: int) -> Waited:
    """Let `count` subtasks wait, and answer some of them. The run does not end."""
    processes = system.processes(_SERVICE)
    processes.reset_peaks()
    with Client(system.ingress, system.admin) as client:
        run = client.submit(_SERVICE, count)
        start = time.monotonic()
        while run.progress().waiting < count:
            assert time.monotonic() < start + _LONGEST, "too few subtasks wait"
            time.sleep(0.5)
        time.sleep(1)  # until all are suspended
        memory, idle = processes.peaks()[0], processes.cpu()[0]
        time.sleep(_IDLE)
        answering = processes.cpu()[0]
        some = run.waiting(limit=count)[:: max(1, count // _ANSWERS)]
        for each in some:
            client.answer(each.key, each.index)
            time.sleep(_APART)
        used = processes.cpu()[0] - answering
        run.cancel()
    idle_ms = (answering - idle) / _IDLE * 1_000
    result = Waited(memory, idle_ms, used / len(some) * 1_000)
    note(f"{count:,} subtasks wait: {result}")
    return result
