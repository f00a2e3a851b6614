"""`Steps`: how the other functions of a fan-out are called, with attempts."""

from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic_core import from_json, to_json
from restate import Context

from parallelizework.attempts.durable import Retries, Settle, settled
from parallelizework.completion import CompletionReason
from parallelizework.coordination.fan_in import Combine
from parallelizework.definition.checks import Extra
from parallelizework.definition.definition import Definition
from parallelizework.definition.function import Function
from parallelizework.outcomes import Part, in_order
from parallelizework.policy import Policy
from parallelizework.serde import MAX_MESSAGE, JsonList

# What a run holds when it answers. How much of it a restate-server (1.7) still holds
# depends on time; up to half a message of an answer is safe.
_HELD = "its task, its subtasks or its values"


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
        size: int,
        settle: Settle = settled,
    ) -> list[Any]:
        """What `split` or `expand` returns for a value, as plain JSON.

        Args:
            size: The bytes of the value as JSON.
        """
        beside = items.beside(size, "what it was made of")

        async def execute() -> bytes:
            return beside.serialize(await function(value))

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
        given: tuple[bytes, list[Any]],
    ) -> bytes:
        """The answer to a run.

        Args:
            given: The task, and the items of the split.


        It is a step: without one, a server that dies between the answer and the end
        would find another answer in the next replay.
        """
        this = self._definition
        values = this.values.typed(outcomes.values)
        task, items = given
        extras: dict[Extra, object] = {"reason": reason}
        if "failures" in this.extras:
            is_late = reason is CompletionReason.DEADLINE_EXCEEDED
            unfinished = outcomes.unfinished if is_late else []
            failed = in_order([*outcomes.failures, *unfinished])
            extras["failures"] = this.failures.typed(failed)
        if "task" in this.extras:  # read again, as `split` may have changed its own
            extras["task"] = this.task.deserialize(task)

        async def execute() -> bytes:
            wanted = (extras[extra] for extra in this.extras)
            answer = this.result.answer(await this.aggregate(values, *wanted))
            if len(answer) > MAX_MESSAGE // 2:
                held = max(len(task), _size(items), _size(outcomes.values))
                room = this.result.beside(min(held, MAX_MESSAGE // 2), _HELD)
                room.checked(answer)
            return answer

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


def _size(plain: object) -> int:
    return len(to_json(plain))
