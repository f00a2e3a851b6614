"""The event loop of runs in memory, and the time on its clock."""

import time
from concurrent.futures import ThreadPoolExecutor

from parallelizework.testing.clock import SkippingLoop


def test_the_clock_does_not_jump_while_threads_end() -> None:
    stuck: list[None] = []
    loop = SkippingLoop(lambda: False, lambda: stuck.append(None))
    executor = ThreadPoolExecutor()
    loop.set_default_executor(executor)
    executor.submit(time.sleep, 0.1)  # in real time

    loop.run_until_complete(loop.shutdown_default_executor())
    ended = loop.time()
    loop.close()

    assert not stuck
    assert ended < 60
