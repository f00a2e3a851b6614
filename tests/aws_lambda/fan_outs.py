"""The fan-outs of the function that the tests of this folder invoke."""

import asyncio
import os
import time
from base64 import b64encode
from datetime import timedelta

import parallelizework.aws_lambda
from parallelizework import Failure, FanOut, Policy, Postponed
from parallelizework.ready_made.fan_out_worker import checklist

ALL_SETTLED = Policy(
    tolerated_failure_percentage=100,
    max_attempts=2,
    initial_retry_interval=timedelta(milliseconds=50),
)


def split(count: int) -> list[int]:
    return list(range(count))


def square(number: int) -> int:
    return number * number


def total(values: list[int]) -> int:
    return sum(values)


squares = FanOut("Squares", split=split, execute=square, aggregate=total)
batches = FanOut(
    "Batches",
    split=split,
    execute=square,
    aggregate=total,
    policy=Policy(max_items_per_batch=16),
)


def split_sizes(sizes: list[int]) -> list[int]:
    return sizes


def text(size: int) -> str:
    """Return a text that no compression makes much smaller."""
    return b64encode(os.urandom(size * 3 // 4)).decode()


def length(values: list[str]) -> int:
    return sum(map(len, values))


texts = FanOut("Texts", split=split_sizes, execute=text, aggregate=length)
one_by_one = FanOut(
    "OneByOne",
    split=split_sizes,
    execute=text,
    aggregate=length,
    policy=Policy(max_concurrency=1),
)


def split_texts(sizes: list[int]) -> list[str]:
    return [text(size) for size in sizes]


def same(value: str) -> str:
    return value


large_subtasks = FanOut(
    "LargeSubtasks", split=split_texts, execute=same, aggregate=length
)


def split_seconds(seconds: list[float]) -> list[float]:
    return seconds


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


async def sleep_async(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


def late(_values: list[float], failures: list[Failure[float]]) -> list[str]:
    return [str(failure) for failure in failures]


slow = FanOut(
    "Slow", split=split_seconds, execute=sleep, aggregate=late, policy=ALL_SETTLED
)
slow_async = FanOut(
    "SlowAsync",
    split=split_seconds,
    execute=sleep_async,
    aggregate=late,
    policy=ALL_SETTLED,
)
slow_batch = FanOut(
    "SlowBatch",
    split=split_seconds,
    execute=sleep_async,
    aggregate=late,
    policy=ALL_SETTLED.model_copy(update={"max_items_per_batch": 4}),
)
one_slot = FanOut(
    "OneSlot",
    split=split_seconds,
    execute=sleep_async,
    aggregate=late,
    policy=ALL_SETTLED.model_copy(
        update={"max_items_per_batch": 4, "max_concurrency": 1}
    ),
)


def wait_until(moment: float) -> float:
    left = moment - time.time()
    if left > 0:
        raise Postponed("not yet", retry_after=timedelta(seconds=left))
    return moment


until = FanOut(
    "Until",
    split=split_seconds,
    execute=wait_until,
    aggregate=late,
    policy=ALL_SETTLED.model_copy(update={"max_items_per_batch": 4}),
)

handler = parallelizework.aws_lambda.handler(
    checklist(max_pause=0.01),
    squares,
    batches,
    texts,
    one_by_one,
    large_subtasks,
    slow,
    slow_async,
    slow_batch,
    one_slot,
    until,
)
