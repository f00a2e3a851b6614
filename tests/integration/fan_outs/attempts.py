"""Fan-outs whose subtasks are retried or time out."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta

from restate import Context
from restate.exceptions import RetryableError

from parallelizework import Attempt, FanOut, Policy

from .ledger import Keyed, Ledger
from .values import unchanged


def subtasks(task: Keyed) -> Iterator[Keyed]:
    for letter in "abc":
        yield Keyed(key=f"{task.key}-{letter}", fail=task.fail)


def fail_twice_at_b(subtask: Keyed) -> int:
    executions = Ledger(subtask.key).enter()
    if subtask.key.endswith("-b") and executions < 3:
        raise OSError(f"not yet, {executions}")
    return executions


flaky = FanOut("Flaky", split=subtasks, execute=fail_twice_at_b, aggregate=unchanged)
flaky_batch = FanOut(
    "FlakyBatch",
    split=subtasks,
    execute=fail_twice_at_b,
    aggregate=unchanged,
    policy=Policy(max_items_per_batch=16),
)


def three_of(task: Keyed) -> list[Keyed]:
    return [task.model_copy(update={"fail": letter}) for letter in "abc"]


def number_and_key_of_attempt(
    subtask: Keyed, attempt: Attempt
) -> tuple[int | None, str, int]:
    executions = Ledger(f"{subtask.key}-{subtask.fail}-{attempt.key}").enter()
    if subtask.fail == "b" and executions < 3:
        raise OSError(f"not yet, {executions}")
    return attempt.number, attempt.key, executions


def unchanged_attempts(
    values: list[tuple[int | None, str, int]],
) -> list[tuple[int | None, str, int]]:
    return values


attempted = FanOut(
    "Attempted",
    split=three_of,
    execute=number_and_key_of_attempt,
    aggregate=unchanged_attempts,
)
attempted_batch = FanOut(
    "AttemptedBatch",
    split=three_of,
    execute=number_and_key_of_attempt,
    aggregate=unchanged_attempts,
    policy=Policy(max_items_per_batch=2),
)


async def fail_in_attempts_1_and_2(subtask: Keyed, attempt: Attempt) -> int | None:
    print(f"attempt {attempt.number}", flush=True)
    if attempt.number == 1:
        raise RetryableError("not yet", retry_after=timedelta(seconds=2))
    if attempt.number == 2:
        await asyncio.sleep(0.3)
        raise RetryableError("not yet", retry_after=timedelta(seconds=2))
    return attempt.number


def unchanged_numbers(values: list[int | None]) -> list[int | None]:
    return values


counting = FanOut(
    "Counting",
    split=three_of,
    execute=fail_in_attempts_1_and_2,
    aggregate=unchanged_numbers,
)


def retry_in_a_second(subtask: Keyed) -> int:
    entries = Ledger(subtask.key).enter()
    if subtask.key.endswith("-a") and entries == 1:
        raise RetryableError("come back", 429, timedelta(seconds=1))
    return time.monotonic_ns()


retried_later = FanOut(
    "RetriedLater",
    split=subtasks,
    execute=retry_in_a_second,
    aggregate=unchanged,
    policy=Policy(max_concurrency=1),
)


def slow_at_first(subtask: Keyed) -> int:
    entries = Ledger(subtask.key).enter()
    if entries < int(subtask.fail or 2):
        time.sleep(1)
    return entries


class KeyedTask(Keyed):
    policy: Policy = Policy()


def subtasks_of(task: KeyedTask) -> Iterator[Keyed]:
    return subtasks(task)


slow_then_fast = FanOut(
    "SlowThenFast", split=subtasks_of, execute=slow_at_first, aggregate=unchanged
)


async def never(ctx: Context, subtask: Keyed) -> int:
    await ctx.sleep(timedelta(hours=1))
    return 1


never_ending = FanOut(
    "NeverEnding", split=subtasks_of, execute=never, aggregate=unchanged
)
