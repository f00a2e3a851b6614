"""`Steps`: how the functions of a fan-out are called, durably and with attempts."""

from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from pydantic_core import from_json
from restate import Context, RunOptions, TerminalError
from restate.serde import BytesSerde

from parallelizework.attempts import Attempts, AttemptSerde, Miss
from parallelizework.batch import BatchRunner
from parallelizework.definition import Definition
from parallelizework.fan_in import Combine
from parallelizework.function import Function
from parallelizework.level import Slice
from parallelizework.outcome import Fault, Part
from parallelizework.policy import Policy
from parallelizework.rule import CompletionReason
from parallelizework.serde import Json

T = TypeVar("T")


class Steps:
    """The steps of one definition."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._batch = Json[Part](
            Part,
            f"the values of a batch of {definition.name}",
            remedy="lower max_items_per_batch, or let a value be a reference",
        )

    async def step(
        self,
        ctx: Context,
        function: Function,
        gives: Json[T],
        policy: Policy,
        value: object,
    ) -> T:
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
        return await ctx.run_typed(function.role, step, options)

    async def execute(self, ctx: Context, policy: Policy, subtask: object) -> bytes:
        """The value of a subtask, as JSON.

        Each attempt is a step, so that their number is known, and a pause is durable.
        """
        execute = partial(self._value, subtask)
        attempts = Attempts(policy, lambda pause: ctx.sleep(timedelta(seconds=pause)))
        if policy.on_exhausted == "pause":  # then Restate itself counts, and pauses
            step = partial(attempts.value, execute)
            return await ctx.run_typed("execute", step, RunOptions(serde=BytesSerde()))
        options = RunOptions[bytes | Miss](serde=AttemptSerde())
        once = partial(attempts.once, execute)
        outcome = await attempts.until_final(
            lambda: ctx.run_typed("execute", once, options)
        )
        if isinstance(outcome, Fault):
            raise outcome.error()
        return outcome

    async def batch(self, ctx: Context, policy: Policy, part: Slice[Any]) -> Part:
        """The outcomes of a batch, journaled as one step."""
        typed = self._definition.subtasks.typed
        runner = BatchRunner(self._value, typed, policy)

        async def step() -> Part:
            return await runner.run(part)

        options = RunOptions[Part](serde=self._batch, max_attempts=policy.max_attempts)
        return await ctx.run_typed("execute", step, options)

    def combine(self, ctx: Context, policy: Policy) -> Combine | None:
        """What folds values, as plain JSON, into one; each time it is a step."""
        this = self._definition
        if not (combine := this.combine):
            return None

        async def combined(values: list[Any]) -> Any:
            typed = this.values.typed(values)
            folded = await self.step(ctx, combine, this.value, policy, typed)
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

        attempts = Attempts(policy.model_copy(update={"attempt_timeout": None}))
        outcome = await attempts.until_final(partial(attempts.once, execute))
        if isinstance(outcome, Fault):
            raise TerminalError(outcome.message, outcome.code)
        return outcome

    async def _value(self, subtask: object) -> bytes:
        this = self._definition
        return this.value.serialize(await this.execute(subtask))
