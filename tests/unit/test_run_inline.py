"""`run_inline`: runs in memory behave as runs on a restate-server."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import restate
from pydantic import BaseModel
from restate.exceptions import RetryableError

import parallelizework
from parallelizework import (
    Attempt,
    CompletionReason,
    Done,
    Executor,
    Failure,
    FanOut,
    Policy,
    Postponed,
)
from parallelizework.errors import RunFailed, UnfitData
from parallelizework.outcomes import Counts
from parallelizework.testing import ReplayMismatch, run_inline

ALL_SETTLED = Policy.all_settled()
FOREVER = 3_600.0


class Job(BaseModel):
    name: str
    seconds: float = 0


def jobs(task: list[Job]) -> list[Job]:
    return task


async def work(job: Job) -> str:
    await asyncio.sleep(job.seconds)
    return job.name.upper()


def block(job: Job) -> str:
    time.sleep(job.seconds)
    return job.name.upper()


def join(values: list[str]) -> str:
    return "+".join(values)


def names(text: str, seconds: float = 0) -> list[Job]:
    return [Job(name=name, seconds=seconds) for name in text]


def fan_out(execute: Any = work, policy: Policy | None = None, **more: Any) -> Any:
    functions: dict[str, Any] = {
        "split": jobs,
        "execute": execute,
        "aggregate": join,
    } | more
    return FanOut("Jobs", policy=policy, **functions)


def fails(job: Job) -> str:
    if job.name == "x":
        raise restate.TerminalError("no such job", 404)
    return job.name


def test_a_run_answers_in_the_order_of_the_split() -> None:
    run = run_inline(fan_out(), [Job(name="a", seconds=2), Job(name="b", seconds=1)])

    assert run.result == "A+B"
    assert run.completion_reason is CompletionReason.ALL_COMPLETED
    assert run.counts == Counts(succeeded=2)


@pytest.mark.parametrize("batch", [1, 2, "auto"])
def test_a_run_that_ends_at_once_has_counts(batch: Any) -> None:
    run = run_inline(fan_out(policy=Policy(max_items_per_batch=batch)), names("abc"))

    assert run.counts == Counts(succeeded=3)
    assert run.completion_reason is CompletionReason.ALL_COMPLETED


def test_an_async_sleep_takes_no_time() -> None:
    began = time.monotonic()

    run = run_inline(fan_out(), names("abc", FOREVER))

    assert run.duration.total_seconds() == pytest.approx(FOREVER)
    assert time.monotonic() - began < FOREVER / 2


def test_a_run_waits_for_a_function_that_blocks() -> None:
    policy = Policy(deadline=timedelta(seconds=100))

    run = run_inline(fan_out(block, policy), names("ab", 0.1))

    assert run.result == "A+B"
    assert run.duration >= timedelta(seconds=0.05)


def test_a_run_waits_for_the_default_executor_of_the_event_loop() -> None:
    async def in_a_thread(job: Job) -> str:
        return await asyncio.to_thread(block, job)

    policy = Policy(deadline=timedelta(seconds=100))

    assert run_inline(fan_out(in_a_thread, policy), names("a", 0.1)).result == "A"


async def test_run_inline_works_within_an_event_loop() -> None:
    assert run_inline(fan_out(), names("ab")).result == "A+B"


def test_a_failed_run_raises_when_its_result_is_asked_for() -> None:
    run = run_inline(fan_out(fails), names("axb"))

    with pytest.raises(RunFailed, match="404: subtask 1 failed: no such job"):
        _ = run.result
    assert run.error
    assert run.error.status_code == 404
    assert run.completion_reason is CompletionReason.FAILURE_TOLERANCE_EXCEEDED


def test_the_subtask_of_a_failure_has_its_own_type() -> None:
    run = run_inline(fan_out(fails, ALL_SETTLED), names("axb"))

    assert run.result == "a+b"
    assert [(each.index, each.subtask) for each in run.failures] == [(1, Job(name="x"))]
    assert run.counts == Counts(succeeded=2, failed=1)


def test_attempts_are_counted_and_their_pauses_take_no_time() -> None:
    async def flaky(job: Job, attempt: Attempt) -> str:
        if job.name == "x" and attempt.number < 20:
            raise ValueError("not yet")
        return job.name

    run = run_inline(fan_out(flaky), names("ax"))

    assert run.result == "a+x"
    assert run.attempts == {0: 1, 1: 20}
    assert run.duration > timedelta(minutes=2)


def test_a_postponed_attempt_is_not_counted() -> None:
    postponed = iter([True, False])

    async def limited(job: Job) -> str:
        if next(postponed):
            raise Postponed("later", retry_after=timedelta(minutes=1))
        return job.name

    run = run_inline(fan_out(limited), names("a"))

    assert run.attempts == {0: 1}
    assert run.duration >= timedelta(minutes=1)


@pytest.mark.parametrize("execute", [work, block])
def test_the_timeouts_of_the_policy_apply(execute: Any) -> None:
    policy = Policy(
        attempt_timeout=timedelta(seconds=0.05),
        max_attempts=2,
        tolerated_failure_percentage=100,
    )

    run = run_inline(
        fan_out(execute, policy), [Job(name="a"), Job(name="b", seconds=0.3)]
    )

    assert run.result == "A"
    assert run.failures[0].status == "timed_out"
    assert run.failures[0].attempts == 2


def test_a_deadline_ends_a_run() -> None:
    policy = Policy(deadline=timedelta(hours=1))

    run = run_inline(fan_out(policy=policy), names("a", 2 * FOREVER))

    assert run.error
    assert run.error.status_code == 504
    assert run.completion_reason is CompletionReason.DEADLINE_EXCEEDED
    assert run.duration == pytest.approx(timedelta(hours=1), abs=timedelta(minutes=1))


def test_a_cancelled_run_cancels_its_calls() -> None:
    run = run_inline(
        fan_out(), names("ab", FOREVER), cancel_after=timedelta(seconds=60)
    )

    assert run.error
    assert (run.error.status_code, run.error.message) == (409, "cancelled")
    assert run.counts == Counts(cancelled=2)


@pytest.mark.parametrize("replays", [False, True])
@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize(
    "policy",
    [
        Policy(),
        Policy(max_items_per_batch=3),
        Policy(max_concurrency=2),
        Policy(max_concurrency=2, max_items_per_batch=2),
    ],
)
def test_every_kind_of_fan_out_can_be_run(
    policy: Policy, seed: int | None, *, replays: bool
) -> None:
    def shards(task: list[list[str]]) -> list[list[str]]:
        return task

    def expand(shard: list[str]) -> Sequence[str | Done[list[str]]]:
        return [Done([name]) if name == "d" else name for name in shard]

    async def wrap(name: str) -> list[str]:
        await asyncio.sleep(ord(name) % 3)
        return [name]

    def flatten(values: list[list[str]]) -> list[str]:
        return [name for value in values for name in value]

    sharded = FanOut(
        "Sharded",
        split=shards,
        expand=expand,
        execute=wrap,
        combine=flatten,
        aggregate=flatten,
        policy=policy,
    )
    task = [list("abc"), [], list("defghijklmnopqrstuvwxyz")]

    run = run_inline(sharded, task, seed=seed, replays=replays)

    assert run.result == list("abcdefghijklmnopqrstuvwxyz")


@pytest.mark.parametrize("replays", [False, True])
def test_an_executor_executes_the_subtasks(*, replays: bool) -> None:
    executor = Executor("Elsewhere", execute=work)
    elsewhere = fan_out(None, executor="Elsewhere")

    run = run_inline(elsewhere, names("ab"), executors=[executor], replays=replays)

    assert run.result == "A+B"
    assert [call.handler for call in run.calls][:2] == ["Elsewhere/runSubtask"] * 2


def test_a_run_may_be_cancelled_at_once() -> None:
    run = run_inline(fan_out(), names("ab", FOREVER), cancel_after=timedelta(0))

    assert run.error
    assert run.error.message == "cancelled"


def test_a_failed_subtask_has_the_type_of_its_own_executor() -> None:
    def fails(job: Job) -> str:
        raise restate.TerminalError("no")

    def other(number: int) -> int:
        return number

    executors = [
        Executor("Other", execute=other),
        Executor("Elsewhere", execute=fails),
    ]
    elsewhere = fan_out(None, executor="Elsewhere")

    run = run_inline(elsewhere, names("a"), executors=executors)

    assert [type(each.subtask) for each in run.failures] == [Job]


def test_a_call_of_an_unknown_service_is_a_failure() -> None:
    run = run_inline(fan_out(None, executor="Elsewhere"), names("a"))

    assert run.error
    assert "run_inline does not serve Elsewhere/runSubtask" in run.error.message


@pytest.mark.parametrize("replays", [False, True])
def test_handler_code_sleeps_and_calls(*, replays: bool) -> None:
    clerk = restate.Service("Clerk")

    @clerk.handler()
    async def stamp(ctx: restate.Context, name: str) -> str:
        return await ctx.run_typed("stamp", lambda: f"[{name}]")

    async def durably(ctx: restate.Context, job: Job) -> str:
        await ctx.sleep(timedelta(days=1))
        return await ctx.service_call(stamp, job.name)

    run = run_inline(fan_out(durably), names("ab"), services=[clerk], replays=replays)

    assert run.result == "[a]+[b]"
    assert run.duration >= timedelta(days=1)


def test_calls_with_one_idempotency_key_execute_once() -> None:
    inner = FanOut("Inner", split=jobs, execute=work, aggregate=join)

    async def outer(ctx: restate.Context, job: Job) -> str:
        return await inner.call(ctx, [job], idempotency_key="same")

    run = run_inline(fan_out(outer), names("aa"), services=[inner])

    assert run.result == "A+A"
    assert sum(call.handler == "Inner/runSubtask" for call in run.calls) == 1


def test_handler_code_is_retried_as_a_whole() -> None:
    tries = iter([True, True, False])

    async def flaky(ctx: restate.Context, job: Job) -> str:
        if next(tries):
            raise RetryableError("busy", retry_after=timedelta(minutes=1))
        return job.name

    run = run_inline(fan_out(flaky), names("a"))

    assert run.result == "a"
    assert run.attempts == {0: 3}
    assert run.duration >= timedelta(minutes=2)


def test_handler_code_that_is_not_deterministic_is_an_error() -> None:
    pauses = iter(range(100))

    async def durably(ctx: restate.Context, job: Job) -> str:
        await ctx.run_typed(f"step {next(pauses)}", lambda: None)
        return job.name

    with pytest.raises(ReplayMismatch, match="Jobs/runSubtask: command 0 of a replay"):
        run_inline(fan_out(durably), names("a"), replays=True)


def test_handler_code_that_does_not_await_a_step_is_an_error() -> None:
    tries = iter(range(100))

    async def durably(ctx: restate.Context, job: Job) -> str:
        if next(tries) == 0:
            await ctx.sleep(timedelta(1))
        return job.name

    with pytest.raises(ReplayMismatch, match="is the end, but the journal has sleep"):
        run_inline(fan_out(durably), names("a"), replays=True)


def test_the_result_of_a_paused_run_is_an_error() -> None:
    policy = Policy(on_exhausted="pause", max_attempts=2)

    async def broken(job: Job) -> str:
        raise ValueError("broken")

    run = run_inline(fan_out(broken, policy), names("a"))

    with pytest.raises(RunFailed, match="has not ended"):
        _ = run.result
    assert run.attempts == {0: 2}


def test_a_task_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(UnfitData, match="the task of Jobs is not valid"):
        run_inline(fan_out(), ["no job"])
    with pytest.raises(UnfitData, match="task of Jobs is a dict, but its type is list"):
        run_inline(fan_out(), {"name": "a"})  # type: ignore[arg-type]


def test_the_same_seed_leads_to_the_same_order() -> None:
    def order(seed: int) -> list[str]:
        ended: list[str] = []

        async def note(job: Job) -> str:
            ended.append(job.name)
            return job.name

        run_inline(fan_out(note), names("abcdefgh"), seed=seed)
        return ended

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) > 1


def test_errors_of_split_and_aggregate_are_retried() -> None:
    tries = iter([ValueError, TypeError, None, OSError, None])

    def split(task: list[Job]) -> list[Job]:
        if error := next(tries):
            raise error
        return task

    def aggregate(values: list[str], failures: list[Failure[Job]]) -> str:
        if error := next(tries):
            raise error
        return join(values)

    run = run_inline(fan_out(split=split, aggregate=aggregate), names("ab"))

    assert run.result == "A+B"


def test_no_other_module_of_the_package_imports_testing() -> None:
    package = Path(parallelizework.__file__).parent
    users = [
        path.name
        for path in package.rglob("*.py")
        if path.parent.name != "testing" and "work.testing" in path.read_text()
    ]

    assert not users


def test_a_subtask_that_does_not_fit_the_type_of_its_executor_is_a_failure() -> None:
    def split(words: list[str]) -> list[str]:
        return words

    def execute(number: int) -> int:
        return number

    def aggregate(numbers: list[int]) -> int:
        return sum(numbers)

    doubles = FanOut("Doubles", split=split, executor="Doubler", aggregate=aggregate)
    run = run_inline(doubles, ["x"], executors=[Executor("Doubler", execute=execute)])

    assert run.error
    assert run.error.status_code == 400
    assert [each.subtask for each in run.failures] == ["x"]


def test_a_replayed_subtask_is_tried_again_after_a_pause_of_almost_no_time() -> None:
    attempts = iter([1, 2])

    async def execute(job: Job) -> str:
        if next(attempts) == 1:
            raise ValueError("once")
        return job.name

    soon = Policy(initial_retry_interval=timedelta(milliseconds=1))
    run = run_inline(fan_out(execute, policy=soon), names("a"), replays=True)

    assert run.result == "a"
    assert run.attempts == {0: 2}


@pytest.mark.parametrize("policy", [{}, {"max_items_per_batch": 4}])
@pytest.mark.parametrize("has_shards", [False, True])
def test_a_known_value_counts_at_a_deadline(
    policy: dict[str, Any], *, has_shards: bool
) -> None:
    def split(count: int) -> list[int | Done[int]]:
        return [*range(count), Done(1_000), Done(1_001)]

    def split_into_shards(count: int) -> list[int]:
        return [count]

    async def execute(number: int) -> int:
        await asyncio.sleep(FOREVER)
        return number

    def aggregate(
        values: list[int], failures: list[Failure[int]]
    ) -> tuple[list[int], list[int]]:
        return values, [failure.index for failure in failures]

    functions: dict[str, Any] = (
        {"split": split_into_shards, "expand": split}
        if has_shards
        else {"split": split}
    )
    limits = {"deadline": 1, "on_deadline": "answer"} | policy
    late: FanOut[Any, Any, Any, Any] = FanOut(
        "Late",
        execute=execute,
        aggregate=aggregate,
        policy=Policy.model_validate(limits),
        **functions,
    )

    values, failed = run_inline(late, 300).result

    assert values == [1_000, 1_001]
    assert failed == list(range(300))
