"""`Steps`: how the other functions of a fan-out are called, with attempts."""

from typing import Any, TypeVar

from pydantic_core import from_json
from restate import Context, RestateDurableFuture, RunOptions

from parallelizework.attempts import Attempts, AttemptSerde, Miss
from parallelizework.checks import Extra
from parallelizework.definition import Definition
from parallelizework.fan_in import Combine
from parallelizework.function import Function
from parallelizework.outcome import Fault, Part
from parallelizework.policy import Policy
from parallelizework.rule import CompletionReason
from parallelizework.serde import MAX_MESSAGE, Json

T = TypeVar("T")


class Steps:
    """The steps of one definition."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition

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

    def combine(self, ctx: Context, policy: Policy) -> Combine | None:
        """What folds values, as plain JSON, into one; each time it is a step."""
        this = self._definition
        if not (combine := this.combine):
            return None
        gives = this.value.beside(MAX_MESSAGE // 2, "what it was combined from")

        async def combined(values: list[Any]) -> Any:
            typed = this.values.typed(values)
            folded = await self.start(ctx, combine, gives, policy, typed)
            return from_json(this.value.serialize(folded))

        return combined

    async def aggregate(
        self,
        ctx: Context,
        policy: Policy,
        outcomes: Part,
        reason: CompletionReason,
        task: bytes,
    ) -> bytes:
        """The answer to a run.

        It is one step, with all its attempts: without one, a server that dies between
        the answer and the end would find another answer in the next replay.
        """
        this = self._definition
        values = this.values.typed(outcomes.values)
        extras: dict[Extra, object] = {"reason": reason}
        if "failures" in this.extras:
            extras["failures"] = this.failures.typed(outcomes.failures)
        if "task" in this.extras:  # read again, as `split` may have changed its own
            extras["task"] = this.task.deserialize(task)
        attempts = Attempts(policy)

        async def execute() -> bytes:
            given = (extras[extra] for extra in this.extras)
            result = await this.aggregate(values, *given)
            return this.result.answer(result)

        async def step() -> bytes | Miss:
            outcome = await attempts.until_final(lambda _: attempts.once(execute))
            is_fault = isinstance(outcome, Fault)
            return Miss(fault=outcome, again=False) if is_fault else outcome

        options = RunOptions[bytes | Miss](serde=AttemptSerde())
        answer = await ctx.run_typed("aggregate", step, options)
        if isinstance(answer, Miss):
            raise answer.error()
        return answer
