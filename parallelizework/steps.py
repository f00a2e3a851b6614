"""`Steps`: how the other functions of a fan-out are called, with attempts."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from pydantic_core import from_json
from restate import Context

from parallelizework.checks import Extra
from parallelizework.definition import Definition
from parallelizework.fan_in import Combine
from parallelizework.function import Function
from parallelizework.outcome import Part, in_order
from parallelizework.policy import Policy
from parallelizework.retries import Retries, Settle, settled
from parallelizework.rule import CompletionReason
from parallelizework.serde import MAX_MESSAGE, JsonList

T = TypeVar("T")


class Steps:
    """The steps of one definition in one run."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition

    async def listed(  # noqa: PLR0913 - what it is called with, and how
        self,
        ctx: Context,
        function: Function,
        items: JsonList,
        policy: Policy,
        value: object,
        *,
        settle: Settle = settled,
    ) -> list[Any]:
        """What `split` or `expand` returns for a value, as plain JSON."""

        async def execute() -> bytes:
            return items.serialize(await function(value))

        found = await self._retried(ctx, function, policy, execute, settle)
        return items.deserialize(found)

    def combine(self, ctx: Context, policy: Policy) -> Combine | None:
        """What folds values, as plain JSON, into one; each time it is a step."""
        this = self._definition
        if not (combine := this.combine):
            return None
        returns = this.value.beside(MAX_MESSAGE // 2, "what it was combined from")

        async def folded(typed: list[Any]) -> bytes:
            return returns.serialize(await combine(typed))

        async def combined(values: list[Any]) -> Any:
            execute = partial(folded, this.values.typed(values))
            return from_json(await self._retried(ctx, combine, policy, execute))

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

        It is a step: without one, a server that dies between the answer and the end
        would find another answer in the next replay.
        """
        this = self._definition
        values = this.values.typed(outcomes.values)
        extras: dict[Extra, object] = {"reason": reason}
        if "failures" in this.extras:
            failed = in_order([*outcomes.failures, *outcomes.unfinished])
            extras["failures"] = this.failures.typed(failed)
        if "task" in this.extras:  # read again, as `split` may have changed its own
            extras["task"] = this.task.deserialize(task)

        async def execute() -> bytes:
            given = (extras[extra] for extra in this.extras)
            result = await this.aggregate(values, *given)
            return this.result.answer(result)

        return await self._retried(ctx, this.aggregate, policy, execute)

    async def _retried(
        self,
        ctx: Context,
        function: Function,
        policy: Policy,
        execute: Callable[[], Any],
        settle: Settle = settled,
    ) -> bytes:
        name, run = self._definition.name, ctx.request().id
        about = f"fan_out={name} function={function.name} invocation={run}"
        retries = Retries(ctx, name, policy, settle)
        return await retries.value(function.role, about, lambda _: execute())
