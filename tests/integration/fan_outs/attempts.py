"""Fan-outs whose subtasks are retried or time out."""

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta

from restate import Context
from restate.exceptions import RetryableError

from parallelizework import Attempt, FanOut, Policy

from .ledger import Keyed, Ledger
from .values import as_they_come


def parts(task: Keyed) -> Iterator[Keyed]:
    for part in "abc":
        yield Keyed(key=f"{task.key}-{part}", fail=task.fail)


def third_time_lucky(part: Keyed) -> int:
    executions = Ledger(part.key).enter()
    if part.key.endswith("-b") and executions < 3:
        raise OSError(f"not yet, {executions}")
    return executions


flaky = FanOut("Flaky", split=parts, execute=third_time_lucky, aggregate=as_they_come)
flaky_batch = FanOut(
    "FlakyBatch",
    split=parts,
    execute=third_time_lucky,
    aggregate=as_they_come,
    policy=Policy(max_items_per_batch=16),
)


def repeating(task: Keyed) -> list[Keyed]:
    return [task.model_copy(update={"fail": letter}) for letter in "abc"]


def with_its_attempt(part: Keyed, attempt: Attempt) -> tuple[int | None, str, int]:
    executions = Ledger(f"{part.key}-{part.fail}-{attempt.key}").enter()
    if part.fail == "b" and executions < 3:
        raise OSError(f"not yet, {executions}")
    return attempt.number, attempt.key, executions


def attempts_made(
    values: list[tuple[int | None, str, int]],
) -> list[tuple[int | None, str, int]]:
    return values


attempted = FanOut(
    "Attempted", split=repeating, execute=with_its_attempt, aggregate=attempts_made
)
attempted_batch = FanOut(
    "AttemptedBatch",
    split=repeating,
    execute=with_its_attempt,
    aggregate=attempts_made,
    policy=Policy(max_items_per_batch=2),
)


async def back_after_a_kill(part: Keyed, attempt: Attempt) -> int | None:
    print(f"attempt {attempt.number}", flush=True)
    if attempt.number == 1:
        raise RetryableError("not yet", retry_after=timedelta(seconds=2))
    if attempt.number == 2:
        await asyncio.sleep(0.3)
        raise RetryableError("not yet", retry_after=timedelta(seconds=2))
    return attempt.number


def numbers_of_attempts(values: list[int | None]) -> list[int | None]:
    return values


counting = FanOut(
    "Counting",
    split=repeating,
    execute=back_after_a_kill,
    aggregate=numbers_of_attempts,
)


def again_in_a_second(part: Keyed) -> int:
    entries = Ledger(part.key).enter()
    if part.key.endswith("-a") and entries == 1:
        raise RetryableError("come back", 429, timedelta(seconds=1))
    return time.monotonic_ns()


coming_back = FanOut(
    "ComingBack",
    split=parts,
    execute=again_in_a_second,
    aggregate=as_they_come,
    policy=Policy(max_concurrency=1),
)


def slow_at_first(part: Keyed) -> int:
    entries = Ledger(part.key).enter()
    if entries < int(part.fail or 2):
        time.sleep(1)
    return entries


class Patience(Keyed):
    policy: Policy = Policy()


def patient_parts(task: Patience) -> Iterator[Keyed]:
    return parts(task)


impatient = FanOut(
    "Impatient", split=patient_parts, execute=slow_at_first, aggregate=as_they_come
)


async def never(ctx: Context, part: Keyed) -> int:
    await ctx.sleep(timedelta(hours=1))
    return 1


never_ending = FanOut(
    "NeverEnding", split=patient_parts, execute=never, aggregate=as_they_come
)
