"""The result of a run whose deadline has passed."""

import asyncio
from datetime import timedelta

from parallelizework import CompletionReason, Done, Failure, FanOut, Policy
from parallelizework.testing import run_inline

Answer = tuple[list[int], list[int], CompletionReason]


def split(seconds: list[int]) -> list[int | Done[int]]:
    return [Done(-each) if each < 0 else each for each in seconds]


async def wait(seconds: int) -> int:
    await asyncio.sleep(seconds)
    return seconds


def shown(
    values: list[int], failures: list[Failure[int]], reason: CompletionReason
) -> Answer:
    return values, [each.subtask for each in failures], reason


IN_TIME = Policy(
    deadline=timedelta(seconds=60), on_deadline="answer", max_concurrency=1
)


def answer(seconds: list[int], policy: Policy) -> Answer:
    in_time = IN_TIME.overridden(policy)
    waiting = FanOut("Wait", split=split, execute=wait, aggregate=shown, policy=in_time)
    return run_inline(waiting, seconds).result


def test_a_subtask_without_an_outcome_at_the_deadline_is_a_failure() -> None:
    assert answer([5, 3_600, 7], Policy.all_settled()) == (
        [5],
        [3_600, 7],
        CompletionReason.DEADLINE_EXCEEDED,
    )


def test_a_subtask_without_an_outcome_is_no_failure_once_enough_have_succeeded() -> (
    None
):
    assert answer([3_600, 7, -9], Policy.first_successful()) == (
        [9],
        [],
        CompletionReason.MIN_SUCCESSFUL_REACHED,
    )
