"""`Steps`: how the functions of a fan-out are called, durably and with attempts."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from pydantic_core import from_json
from restate import Context, RestateDurableFuture, RunOptions, TerminalError
from restate.exceptions import RetryableError
from restate.serde import BytesSerde

from parallelizework.attempts import Attempt, Attempts, AttemptSerde, Miss
from parallelizework.batch import BatchRunner
from parallelizework.definition import Definition
from parallelizework.fan_in import Combine
from parallelizework.function import Function
from parallelizework.last_step import last_step
from parallelizework.level import Slice
from parallelizework.outcome import Fault, Part, known_values
from parallelizework.policy import Policy
from parallelizework.rule import CompletionReason
from parallelizework.serde import Json

T = TypeVar("T")


class Steps:
    """The steps of one definition.

    Attributes:
        batched: The outcomes of a batch, in the journal.
    """

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self.batched = Json[Part](
            Part,
            f"the values of a batch of {definition.name}",
            remedy="lower max_items_per_batch, or let a value be a reference",
        )

    def start(
        self,
        ctx: Context,
        function: Function,
        gives: Json[T],
        policy: Policy,
        value: object,
    ) -> RestateDurableFuture[T]:
        """Journal `function(value)` as one durable step, retried by Restate."""

        async def step() -> T:
            return await function(value)

        options = RunOptions[T](
            serde=gives,
            max_attempts=policy.max_attempts,
            initial_retry_interval=policy.initial_retry_interval,
            max_retry_interval=policy.max_retry_interval,
            retry_interval_factor=policy.retry_interval_factor,
        )
        return ctx.run_typed(function.role, step, options)

    async def execute(self, ctx: Context, policy: Policy, subtask: object) -> bytes:
        """The value of a subtask, as JSON.

        Each attempt is a step, so that their number is known, and a pause is durable.
        """
        key = ctx.request().id

        def attempt(number: int | None) -> Callable[[], Awaitable[bytes]]:
            return partial(self._value, policy, subtask, Attempt(number, key))

        attempts = Attempts(
            policy,
            sleep=lambda pause: ctx.sleep(timedelta(seconds=pause)),
            random=ctx.random().random,
        )
        if policy.on_exhausted == "pause":  # then Restate itself counts, and pauses
            step = partial(attempts.value, attempt(None))
            return await ctx.run_typed("execute", step, RunOptions(serde=BytesSerde()))
        options = RunOptions[bytes | Miss](serde=AttemptSerde())

        async def once(number: int) -> bytes | Miss:
            step = partial(attempts.once, attempt(number))
            return await last_step(ctx, step, options, answers=_is_last)

        outcome = await attempts.until_final(once)
        if isinstance(outcome, Fault):
            raise outcome.error()
        return outcome

    async def batch(self, ctx: Context, policy: Policy, part: Slice[Any]) -> Part:
        """The outcomes of a batch, journaled as one step."""
        typed = self._definition.subtasks.typed
        execute = partial(self._value, policy)
        runner = BatchRunner(execute, typed, policy, ctx.request().id)

        known = known_values(part.items) if self._definition.gives_done else {}

        async def step() -> Part:
            return await runner.run(part, known)

        options = RunOptions[Part](serde=self.batched, max_attempts=policy.max_attempts)
        if self._definition.combine:  # more steps follow
            return await ctx.run_typed("execute", step, options)
        return await last_step(ctx, step, options)

    def combine(self, ctx: Context, policy: Policy) -> Combine | None:
        """What folds values, as plain JSON, into one; each time it is a step."""
        this = self._definition
        if not (combine := this.combine):
            return None

        async def combined(values: list[Any]) -> Any:
            typed = this.values.typed(values)
            folded = await self.start(ctx, combine, this.value, policy, typed)
            return from_json(this.value.serialize(folded))

        return combined

    async def aggregate(
        self, policy: Policy, outcomes: Part, reason: CompletionReason
    ) -> bytes:
        """The answer to a run.

        It is no durable step, as nothing comes after it that could fail.
        """
        this = self._definition
        takes = len(this.aggregate.parameters)
        values = this.values.typed(outcomes.values)
        failures = this.failures.typed(outcomes.failures) if takes > 1 else []

        async def execute() -> bytes:
            result = await this.aggregate(*(values, failures, reason)[:takes])
            return this.result.answer(result)

        attempts = Attempts(policy)
        outcome = await attempts.until_final(lambda _: attempts.once(execute))
        if isinstance(outcome, Fault):
            raise TerminalError(outcome.message, outcome.code)
        return outcome

    async def handle(self, ctx: Context, subtask: object) -> bytes:
        """The value that handler code gives, as JSON."""
        this = self._definition
        try:
            return this.value.serialize(await this.execute(ctx, subtask))
        except RetryableError as error:  # attempts that ask for a delay are not counted
            raise RetryableError(error.message, error.status_code) from error

    async def _value(self, policy: Policy, subtask: object, attempt: Attempt) -> bytes:
        this, timeout = self._definition, policy.attempt_timeout
        seconds = timeout.total_seconds() if timeout else None
        takes = len(this.execute.parameters)
        given = (subtask, attempt)[:takes]
        return this.value.serialize(await this.execute(*given, seconds=seconds))


def _is_last(outcome: bytes | Miss) -> bool:
    return not (isinstance(outcome, Miss) and outcome.again)
