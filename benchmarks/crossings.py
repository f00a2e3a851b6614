"""Count the calls from one module of the package into another, in a run in memory.

A call is counted if caller and callee are in two different modules of the package.
Calls of `testing` and calls before the handler `run` are not counted. A coroutine is
counted once, even if it is resumed several times.

    python -m benchmarks.crossings [SUBTASKS]
"""

import sys
import time
from collections import Counter
from types import FrameType

from parallelizework import FanOut
from parallelizework.testing import run_inline

_OURS, _NOT_OURS = "parallelizework.", "parallelizework.testing."
_SHOWN = 15


def split(count: int) -> list[int]:
    """Return `count` subtasks."""
    return list(range(count))


async def execute(number: int) -> int:
    """Do nothing."""
    return number


def crossings(fan_out: FanOut[int, int, int, int], count: int) -> Counter[str]:
    """Count the calls between modules in a run of `count` subtasks."""
    found, is_running = Counter[str](), False

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal is_running
        if event != "call" or frame.f_back is None or _is_resumed(frame):
            return
        is_running = is_running or frame.f_code.co_qualname == "Handlers.run"
        if not is_running:
            return
        caller, callee = map(_module, (frame.f_back, frame))
        if caller and callee and caller != callee:
            found[f"{caller} -> {callee}"] += 1

    sys.setprofile(profile)
    try:
        assert run_inline(fan_out, count).result == sum(range(count))
    finally:
        sys.setprofile(None)
    return found


def _is_resumed(frame: FrameType) -> bool:
    """Whether a coroutine is resumed, from the argument of its RESUME instruction."""
    return bool(frame.f_code.co_code[frame.f_lasti + 1] & 3)


def _module(frame: FrameType) -> str | None:
    name = frame.f_globals.get("__name__", "")
    is_ours = name.startswith(_OURS) and not name.startswith(_NOT_OURS)
    return name.removeprefix(_OURS) if is_ours else None


def main() -> None:
    """Print the number of crossings, the most frequent ones, and the time of a run."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    fan_out = FanOut("Crossings", split=split, execute=execute, aggregate=sum_of)
    run_inline(fan_out, count)  # import all modules before the measurement
    found = crossings(fan_out, count)
    print(f"{found.total()} crossings in a run of {count} subtasks")
    for arrow, times in found.most_common(_SHOWN):
        print(f"{times:6} {arrow}")
    began, used = time.perf_counter(), time.process_time()
    run_inline(fan_out, 1_000)
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    print(f"1,000 subtasks in memory: {seconds:.2f} s, {cpu:.2f} s of CPU")


def sum_of(numbers: list[int]) -> int:
    """Return the sum of the numbers."""
    return sum(numbers)


if __name__ == "__main__":
    main()
