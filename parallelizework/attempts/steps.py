"""`Steps`: executes `split`, `expand`, `combine` and `aggregate` as durable steps."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic_core import from_json, to_json
from restate import Context

from parallelizework.attempts.retries import Retries, Settle, fresh
from parallelizework.definition.checks import Extra
from parallelizework.definition.definition import Definition
from parallelizework.definition.function import Function
from parallelizework.messages import AGGREGATE_STEP, Outcomes
from parallelizework.outcomes import CompletionReason, in_order
from parallelizework.policy import Policy
from parallelizework.serde.message import JsonList
from parallelizework.serde.message_limit import message_limit

# A restate-server (1.7) may still have the task, the subtasks or the values in memory
# when the run answers. An answer of up to half the size of a message is always safe.
_HELD = "its task, its subtasks or its values"


class Steps:
    """`split`, `expand`, `combine` and `aggregate` of a fan-out, in one invocation."""

    def __init__(self, ctx: Context, definition: Definition, policy: Policy) -> None:
        self._definition = definition
        self._retries = Retries(ctx, definition.name, policy)

    async def split(self, task: object, body: bytes, settle: Settle) -> list[Any]:
        """Return the items of a task, as plain JSON.

        Args:
            task: The task.
            body: The task as JSON.
            settle: Waits for the step, or for the end of the run.
        """
        definition = self._definition
        has_shards = definition.expand is not None
        items = definition.shards_json if has_shards else definition.subtasks_json
        retries = replace(self._retries, settle=settle)
        tasks = fresh(task, lambda: definition.task_json.deserialize(body))
        return await self._list_items(
            definition.split, items, tasks, len(body), retries
        )

    async def expand(self, shard: object, size: int) -> list[Any]:
        """Return the subtasks of a shard, as plain JSON.

        Args:
            shard: The shard, as plain JSON.
            size: The size of the slice with the shard as JSON, in bytes.
        """
        definition = self._definition
        assert definition.expand, "only a fan-out with expand has shards"
        read = partial(definition.shard_json.typed, shard)
        shards = fresh(read(), read)
        return await self._list_items(
            definition.expand, definition.subtasks_json, shards, size, self._retries
        )

    async def combine(self, values: list[Any]) -> Any:
        """Return one value for several values, all as plain JSON."""
        definition, combine = self._definition, self._definition.combine
        assert combine, "the fan-out has combine"
        held, held_name = message_limit.size // 2, "the values that it combines"
        read = partial(definition.values_json.typed, values)
        typed = fresh(read(), read)

        async def execute(_number: int) -> bytes:
            combined = await combine(next(typed))
            return definition.value_json.serialize(combined, held, held_name)

        return from_json(await self._retries.value(combine, execute))

    async def aggregate(
        self,
        outcomes: Outcomes,
        reason: CompletionReason,
        task: bytes,
        items: list[Any],
    ) -> bytes:
        """Return the answer of a run, as JSON.

        `aggregate` is a step, so the answer is in the journal before the run ends. A
        replay after a crash has the same answer, even if `aggregate` would return
        another one.

        Args:
            outcomes: The outcomes of all subtasks.
            reason: Why the run has ended.
            task: The task as JSON.
            items: The items of the split, as plain JSON.
        """
        definition = self._definition

        def read() -> list[object]:
            values = definition.values_json.typed(outcomes.values)
            return [values, *self._extras(outcomes, reason, task)]

        arguments = fresh(read(), read)

        async def execute(_number: int) -> bytes:
            result = await definition.aggregate(*next(arguments))
            answer = definition.result_json.answer(result)
            if len(answer) > message_limit.size // 2:
                held = max(len(task), _size(items), _size(outcomes.values))
                held = min(held, message_limit.size // 2)
                definition.result_json.checked(answer, held, _HELD)
            return answer

        name = f"{AGGREGATE_STEP}{outcomes.succeeded}"
        return await self._retries.value(definition.aggregate, execute, name)

    def _extras(
        self, outcomes: Outcomes, reason: CompletionReason, task: bytes
    ) -> list[object]:
        """The arguments of `aggregate` after the values."""
        definition = self._definition
        if not definition.extras:
            return []
        extras: dict[Extra, object] = {"reason": reason}
        if "failures" in definition.extras:
            at_deadline = reason is CompletionReason.DEADLINE_EXCEEDED
            rest = outcomes.rest if at_deadline else []
            name_of = definition.name_of
            unfinished = [
                failure for each in rest for failure in each.failures(name_of)
            ]
            failed = in_order([*outcomes.failures, *unfinished])
            extras["failures"] = definition.failures_json.typed(failed)
        if "task" in definition.extras:  # read again: `split` may have changed its task
            extras["task"] = definition.task_json.deserialize(task)
        return [extras[extra] for extra in definition.extras]

    async def _list_items(
        self,
        function: Function,
        items: JsonList,
        values: Iterator[object],
        size: int,
        retries: Retries,
    ) -> list[Any]:
        async def execute(_number: int) -> bytes:
            made = await function(next(values))
            return items.serialize(made, size, "what it was made of")

        return items.deserialize(await retries.value(function, execute))


def _size(plain: object) -> int:
    return len(to_json(plain))
