"""`Execution`: the handlers that execute subtasks, one at a time or a batch."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

from pydantic import ValidationError
from restate import Context, RunOptions, TerminalError

from parallelizework.attempts.attempt import Attempt, missed
from parallelizework.attempts.durable import Retries
from parallelizework.attempts.handler_code import Misses
from parallelizework.coordination.fan_in import Combine
from parallelizework.coordination.slice import Slice
from parallelizework.definition.checks import (
    check_batches,
    check_policy,
    check_takes_attempt,
)
from parallelizework.definition.function import Function
from parallelizework.errors import DefinitionError
from parallelizework.execution.batch import BatchRunner
from parallelizework.outcomes import Part, is_cancelled, known_values
from parallelizework.overrides import Overrides, told
from parallelizework.policy import Policy
from parallelizework.restate_sdk import OWN_EXCEPTIONS, is_raised_by_sdk
from parallelizework.serde import Json, Message, list_of
from parallelizework.subtask_name import name_in

Combines = Callable[[Context, Policy], Combine | None]
REFERENCE = "let it be a reference instead, such as a path or a key"


class Execution:
    """How a service executes subtasks.

    Args:
        name: The service.
        execute: The function that does.
        policy: How often, with which pauses, and how long.
        subtask: The type of a subtask.

    Attributes:
        subtask: A subtask, as a caller gives it.
        value: What `execute` gives.
        slice: Subtasks for a batch.
        part: The outcomes of a batch.

    Raises:
        DefinitionError: The function and the policy do not fit each other.
    """

    def __init__(
        self, name: str, execute: Function, policy: Policy, subtask: object
    ) -> None:
        check_takes_attempt(execute)
        check_policy(execute, policy, policy)
        self.policy = policy
        self.execute = execute
        self.subtask = Json[Any](
            subtask, f"a subtask of {name}", remedy=REFERENCE, status=400
        )
        self.value = value_json(name, execute.returns)
        self.slice = Message[Slice[Any]](Slice[Any], f"a batch of {name}")
        self.part = Message[Part](
            Part,
            f"the values of a batch of {name}",
            remedy="lower max_items_per_batch, or let a value be a reference",
        )
        self._name = name
        self._misses = Misses()
        self._subtasks = Json[list[Any]](list_of(subtask), f"the subtasks of {name}")

    def policy_for(self, overrides: Overrides) -> Policy:
        """The policy of a run, with what its request says.

        Raises:
            TerminalError: 400; the request says what cannot be.
        """
        return overridden(self._name, self.policy, overrides, self.execute)

    async def run_subtask(self, ctx: Context, body: bytes) -> bytes:
        """Execute one subtask."""
        subtask = self.subtask.deserialize(body)
        policy = self.policy_for(told(ctx.request().headers))
        if self.execute.takes_context:
            return await self._handle(ctx, policy, subtask)
        value = self.value.beside(len(body), "its subtask")
        return await self._attempts(ctx, policy, subtask, value)

    async def run_batch(
        self, ctx: Context, body: bytes, combines: Combines | None = None
    ) -> bytes:
        """Execute a batch of subtasks as one durable step.

        Raises:
            TerminalError: 400; the subtasks of an executor cannot be batched, which a
                fan-out that is served elsewhere cannot know.
        """
        part = self.slice.deserialize(body)
        policy = self.policy_for(part.overrides)
        with _bad_request(self._name):
            check_batches(self.execute, policy)
        combine = combines(ctx, policy) if combines else None
        outcomes = await self._batch(ctx, policy, part, len(body))
        if combine and len(outcomes.values) > 1:
            values = [await combine(outcomes.values)]
            outcomes = outcomes.model_copy(update={"values": values})
        return self.part.serialize(outcomes)

    async def _attempts(
        self, ctx: Context, policy: Policy, subtask: object, value: Json[Any]
    ) -> bytes:
        """The value of a subtask, as JSON."""
        key = ctx.request().id

        async def execute(number: int) -> bytes:
            return await self._value(policy, value, subtask, Attempt(number, key))

        retries = Retries(ctx, self._name, policy)
        return await retries.value("execute", self._about(ctx), execute)

    async def _batch(
        self, ctx: Context, policy: Policy, part: Slice[Any], size: int
    ) -> Part:
        execute = partial(self._value, policy, self.value)
        about = f"service={self._name} function={self.execute.name}"
        typed, key = self._subtasks.typed, ctx.request().id
        runner = BatchRunner(execute, typed, policy, key, about)
        known = known_values(part.items)

        async def step() -> Part:
            return await runner.run(part, known)

        serde = self.part.beside(size, "its subtasks")
        options = RunOptions[Part](serde=serde, max_attempts=policy.max_attempts)
        return await ctx.run_typed("execute", step, options)

    async def _handle(self, ctx: Context, policy: Policy, subtask: object) -> bytes:
        """The value that handler code returns, as JSON.

        Its journal is its own, so what was missed cannot be in there. Restate would
        count attempts, but outages of the worker with them; so they are counted here.
        """
        try:
            value = self.value.serialize(await self.execute(ctx, subtask))
        except OWN_EXCEPTIONS:
            raise
        except Exception as error:
            if _is_cancellation(error):
                raise
            miss = missed(self._about(ctx), error)
            raise self._misses.error(ctx, policy, miss) from error
        self._misses.forget(ctx)
        return value

    def _about(self, ctx: Context) -> str:
        name = name_in(ctx.request().headers)
        return f"service={self._name} function={self.execute.name} {name}".rstrip()

    async def _value(
        self, policy: Policy, value: Json[Any], subtask: object, attempt: Attempt
    ) -> bytes:
        timeout = policy.attempt_timeout
        seconds = timeout.total_seconds() if timeout else None
        given = (subtask, attempt)[: len(self.execute.parameters)]
        return value.serialize(await self.execute(*given, seconds=seconds))


def _is_cancellation(error: Exception) -> bool:
    """The invocation, or what it called, was cancelled; nobody only says so."""
    if not isinstance(error, TerminalError):
        return False
    return is_cancelled(error) and is_raised_by_sdk(error)


def value_json(name: str, hint: object) -> Json[Any]:
    """The values of the subtasks of `name`."""
    return Json[Any](hint, f"a value of {name}", remedy=REFERENCE)


def overridden(
    name: str, policy: Policy, overrides: Overrides, execute: Function | None
) -> Policy:
    """A policy, with what a request says.

    Raises:
        TerminalError: 400; the request says what cannot be.
    """
    if not overrides:
        return policy
    with _bad_request(name):
        changed = policy.overridden(Policy.model_validate(overrides))
        if execute:
            check_policy(execute, changed, policy)
    return changed


@contextmanager
def _bad_request(name: str) -> Generator[None]:
    try:
        yield
    except (DefinitionError, ValidationError) as error:
        raise TerminalError(f"the policy of {name}: {error}", 400) from error
