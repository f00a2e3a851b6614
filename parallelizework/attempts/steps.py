"""`Steps`: the functions around `execute`, tried in durable steps."""

from dataclasses import replace
from typing import Any

from pydantic_core import from_json, to_json
from restate import Context

from parallelizework.attempts.durable import Retries, Settle
from parallelizework.definition.checks import Extra
from parallelizework.definition.definition import Definition
from parallelizework.definition.function import Function
from parallelizework.messages import Outcomes
from parallelizework.outcomes import CompletionReason, in_order
from parallelizework.policy import Policy
from parallelizework.serde.message import JsonList
from parallelizework.serde.validated_json import MAX_MESSAGE

# What a run holds when it answers. How much of it a restate-server (1.7) still holds
# depends on time; up to half a message of an answer is safe.
_HELD = "its task, its subtasks or its values"


class Steps:
    """`split`, `expand`, `combine` and `aggregate` of a fan-out, in one invocation."""

    def __init__(self, ctx: Context, definition: Definition, policy: Policy) -> None:
        self._definition = definition
        self._retries = Retries(ctx, definition.name, policy)

    async def split(self, task: object, size: int, settle: Settle) -> list[Any]:
        """The items of a task, as plain JSON.

        Args:
            size: The bytes of the task as JSON.
            settle: Waits for the step, or for the end of the run.
        """
        this = self._definition
        listed = this.subtasks_json if this.expand is None else this.shards_json
        retries = replace(self._retries, settle=settle)
        return await self._listed(this.split, listed, task, size, retries)

    async def expand(self, shard: object, size: int) -> list[Any]:
        """The subtasks of a shard, as plain JSON.

        Args:
            size: The bytes of the slice with the shard, as JSON.
        """
        this = self._definition
        assert this.expand, "there are shards only where there is expand"
        listed = this.subtasks_json
        return await self._listed(this.expand, listed, shard, size, self._retries)

    async def combine(self, values: list[Any]) -> Any:
        """One value for several, as plain JSON."""
        this, combine = self._definition, self._definition.combine
        assert combine, "only where there is one"
        held, of = MAX_MESSAGE // 2, "what it was combined from"
        typed = this.values_json.typed(values)

        async def execute(_number: int) -> bytes:
            return this.value_json.serialize(await combine(typed), held, of)

        return from_json(await self._retries.value(combine, execute))

    async def aggregate(
        self,
        outcomes: Outcomes,
        reason: CompletionReason,
        task: bytes,
        items: list[Any],
    ) -> bytes:
        """The answer to a run.

        It is computed in a step, so that a server that dies between the answer and the
        end cannot find another answer in the next replay.
        """
        this = self._definition
        values = this.values_json.typed(outcomes.values)
        extras = self._extras(outcomes, reason, task)

        async def execute(_number: int) -> bytes:
            answer = this.result_json.answer(await this.aggregate(values, *extras))
            if len(answer) > MAX_MESSAGE // 2:
                held = max(len(task), _size(items), _size(outcomes.values))
                this.result_json.checked(answer, min(held, MAX_MESSAGE // 2), _HELD)
            return answer

        return await self._retries.value(this.aggregate, execute)

    def _extras(
        self, outcomes: Outcomes, reason: CompletionReason, task: bytes
    ) -> list[object]:
        """What `aggregate` takes after the values."""
        this = self._definition
        if not this.extras:
            return []
        extras: dict[Extra, object] = {"reason": reason}
        if "failures" in this.extras:
            is_late = reason is CompletionReason.DEADLINE_EXCEEDED
            unfinished = outcomes.unfinished if is_late else []
            failed = in_order([*outcomes.failures, *unfinished])
            extras["failures"] = this.failures_json.typed(failed)
        if "task" in this.extras:  # read again, as `split` may have changed its own
            extras["task"] = this.task_json.deserialize(task)
        return [extras[extra] for extra in this.extras]

    async def _listed(
        self,
        function: Function,
        items: JsonList,
        value: object,
        size: int,
        retries: Retries,
    ) -> list[Any]:
        async def execute(_number: int) -> bytes:
            return items.serialize(await function(value), size, "what it was made of")

        return items.deserialize(await retries.value(function, execute))


def _size(plain: object) -> int:
    return len(to_json(plain))
