"""Threads: several functions share one thread, and hanging functions are abandoned."""

import asyncio
import contextvars
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from parallelizework import FanOut
from parallelizework.definition import threads
from parallelizework.definition.function import Function
from parallelizework.definition.job import TookTooLong
from parallelizework.definition.threads import Threads

pytestmark = pytest.mark.anyio

LONG = 200  # seconds; no test depends on it


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Hanging:
    """A function that hangs at each number but 0, until the test ends."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.began: list[int] = []

    def __call__(self, number: int) -> int:
        self.began.append(number)
        if number:
            self.free.wait(LONG)
        return number


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    function = Hanging()
    yield function
    function.free.set()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG):
        while not condition():  # noqa: ASYNC110 - a thread changes it
            await asyncio.sleep(0.001)


async def abandon(function: Function, number: int) -> None:
    with pytest.raises(TookTooLong):
        await function(number, seconds=0.01)


async def test_short_functions_share_a_thread_and_one_wake_up_of_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = threading.Semaphore(0)
    loop, wake_ups = asyncio.get_running_loop(), list[object]()
    wake = loop.call_soon_threadsafe

    def counted(callback: Callable[..., object], *args: Any, **more: Any) -> Any:
        wake_ups.append(callback)
        return wake(callback, *args, **more)

    def execute(number: int) -> tuple[int, int]:
        done.release()
        return number, threading.get_ident()

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    function = Function("execute", execute, Threads(100))
    calls = [asyncio.create_task(function(number)) for number in range(64)]
    await asyncio.sleep(0)
    for _ in calls:  # the event loop is busy until all have been executed
        assert done.acquire(timeout=LONG)
    values = await asyncio.gather(*calls)

    assert [number for number, _ in values] == list(range(64))
    assert len({thread for _, thread in values}) == 1
    assert len(wake_ups) <= 2  # the last may have ended a moment after the others


async def test_functions_that_block_use_all_threads() -> None:
    together = threading.Barrier(64)

    def execute(number: int) -> int:
        together.wait(LONG)
        return number

    function = Function("execute", execute, Threads(64))
    values = await asyncio.gather(*map(function, range(64)))

    assert values == list(range(64))


async def test_no_more_functions_than_threads_run_at_once() -> None:
    now, most = set[int](), 0
    lock = threading.Lock()

    def execute(number: int) -> int:
        nonlocal most
        with lock:
            now.add(number)
            most = max(most, len(now))
        threading.Event().wait(0.005)
        with lock:
            now.remove(number)
        return number

    function = Function("execute", execute, Threads(3))
    values = await asyncio.gather(*map(function, range(30)))

    assert values == list(range(30))
    assert most <= 3


async def test_a_function_that_hangs_leaves_the_threads_to_the_others(
    hanging: Hanging,
) -> None:
    function = Function("execute", hanging, Threads(1))
    for number in (1, 2, 3, 4):
        await abandon(function, number)

    assert await function(0) == 0
    assert hanging.began == [1, 2, 3, 4, 0]


async def test_a_waiting_function_receives_the_thread_of_an_abandoned_one(
    hanging: Hanging,
) -> None:
    function = Function("execute", hanging, Threads(1))
    first = asyncio.create_task(function(1))
    await until(lambda: hanging.began == [1])
    second = asyncio.create_task(function(0))
    await asyncio.sleep(0.01)

    first.cancel()

    assert await second == 0


async def test_the_number_of_functions_that_hang_is_limited(hanging: Hanging) -> None:
    function = Function("execute", hanging, Threads(1))
    for number in range(1, 6):
        await abandon(function, number)
    waiting = asyncio.create_task(function(0))

    with pytest.raises(TookTooLong, match=r"0\.01 s to get a thread: functions that"):
        await function(0, seconds=0.01)
    assert not waiting.done()
    assert hanging.began == [1, 2, 3, 4, 5]
    hanging.free.set()
    assert await waiting == 0


async def test_a_function_that_waits_for_a_thread_can_be_cancelled(
    hanging: Hanging,
) -> None:
    function = Function("execute", hanging, Threads(1))
    first = asyncio.create_task(function(1))
    await until(lambda: hanging.began == [1])
    second = asyncio.create_task(function(2))
    await asyncio.sleep(0)

    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    hanging.free.set()

    assert await first == 1
    assert await function(0) == 0
    assert hanging.began == [1, 0]


async def test_split_and_aggregate_have_threads_while_all_executes_hang() -> None:
    free = threading.Event()

    def split(task: int) -> list[int]:
        return [task]

    def execute(number: int) -> int:
        free.wait(LONG)
        return number

    def aggregate(values: list[int]) -> int:
        return sum(values)

    fan_out = FanOut(
        "Hung", split=split, execute=execute, aggregate=aggregate, max_threads=1
    ).definition
    assert fan_out.execute
    hung = asyncio.create_task(fan_out.execute.function(1))
    await asyncio.sleep(0.01)

    assert await fan_out.split(3) == [3]
    assert await fan_out.aggregate([1, 2]) == 3
    free.set()
    assert await hung == 1


async def test_many_functions_that_hang_are_logged(
    hanging: Hanging, caplog: pytest.LogCaptureFixture
) -> None:
    function = Function("execute", hanging, Threads(8, "Photos"))
    with caplog.at_level(logging.WARNING):
        for number in range(1, 21):
            await abandon(function, number)

    [line] = caplog.messages
    assert line.startswith("16 sync functions of Photos are still running after they")


async def test_the_result_of_an_abandoned_function_is_ignored() -> None:
    free, problems = threading.Event(), list[dict[str, Any]]()

    def execute(number: int) -> int:
        free.wait(LONG)
        if number % 2:
            raise ValueError(number)
        return number

    asyncio.get_running_loop().set_exception_handler(lambda _, it: problems.append(it))
    function = Function("execute", execute, Threads(4))
    for number in (1, 2):
        await abandon(function, number)
    cancelled = [asyncio.create_task(function(number)) for number in (3, 4)]
    await asyncio.sleep(0.01)
    for task in cancelled:
        task.cancel()
    await asyncio.wait(cancelled)
    free.set()
    values = await asyncio.gather(*map(function, (6, 8, 10)))
    del function, cancelled
    gc.collect()

    assert values == [6, 8, 10]
    assert problems == []


async def test_a_thread_sees_the_context_of_its_caller_and_changes_only_its_own() -> (
    None
):
    who = contextvars.ContextVar("who", default="nobody")

    def execute(name: str) -> str:
        seen = who.get()
        who.set(name)
        return seen

    function = Function("execute", execute, Threads(1))

    async def call(name: str) -> tuple[str, str]:
        who.set(name)
        return await function("somebody else"), who.get()

    called = await asyncio.gather(*(call(name) for name in "abc"))

    assert called == [("a", "a"), ("b", "b"), ("c", "c")]
    assert await function("x") == "nobody"


async def test_a_thread_survives_any_error_of_a_function() -> None:
    def execute(error: str) -> int:
        raise {"stop": StopIteration, "other": ValueError}[error]("why")

    function = Function("execute", execute, Threads(1))

    with pytest.raises(RuntimeError, match="StopIteration"):
        await function("stop")
    for _ in range(3):
        with pytest.raises(ValueError, match="why"):
            await function("other")


def test_a_pool_serves_one_event_loop_after_another(hanging: Hanging) -> None:
    function = Function("execute", hanging, Threads(2))

    async def leaves_one_behind() -> None:
        hung = asyncio.create_task(function(1))
        await asyncio.sleep(0.01)
        hung.cancel()

    asyncio.run(leaves_one_behind())
    hanging.free.set()

    async def others() -> list[int]:
        return await asyncio.gather(*map(function, [0] * 10))

    assert asyncio.run(others()) == [0] * 10


async def test_threads_without_work_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_IDLE", 0.01)
    used = set[threading.Thread]()

    def execute(number: int) -> int:
        used.add(threading.current_thread())
        return number

    function = Function("execute", execute, Threads(1))
    for number in range(3):
        assert await function(number) == number
        await until(lambda: not any(thread.is_alive() for thread in used))

    assert len(used) == 3


async def test_a_thread_that_cannot_be_started_is_an_error_of_its_caller_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def execute(number: int) -> int:
        return number

    function = Function("execute", execute, Threads(1))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            await function(1)

    assert await function(2) == 2
