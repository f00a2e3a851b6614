"""`Execution`: the handlers that execute subtasks, one at a time or a batch."""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from pydantic import ValidationError
from restate import Context, RunOptions, TerminalError
from restate.exceptions import RetryableError
from restate.serde import BytesSerde

from parallelizework.attempts import Attempt, Attempts, AttemptSerde, Miss
from parallelizework.batch import BatchRunner
from parallelizework.checks import (
    check_batches,
    check_policy,
    check_policy_elsewhere,
    check_takes_attempt,
)
from parallelizework.errors import DefinitionError
from parallelizework.fan_in import Combine
from parallelizework.function import Function
from parallelizework.outcome import Fault, Part, known_values
from parallelizework.overrides import Overrides, told
from parallelizework.policy import Policy
from parallelizework.serde import Json, list_of
from parallelizework.slice import Slice

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
        self.slice = Json[Slice[Any]](Slice[Any], f"a batch of {name}")
        self.part = Json[Part](
            Part,
            f"the values of a batch of {name}",
            remedy="lower max_items_per_batch, or let a value be a reference",
        )
        self._name = name
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
            return await self._handle(ctx, subtask)
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
        """The value of a subtask, as JSON.

        Each attempt is a step, so that their number is known, and a pause is durable.
        """
        key = ctx.request().id

        def attempt(number: int | None) -> Callable[[], Awaitable[bytes]]:
            return partial(self._value, policy, value, subtask, Attempt(number, key))

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
            return await ctx.run_typed("execute", step, options)

        outcome = await attempts.until_final(once)
        if isinstance(outcome, Fault):
            raise outcome.error()
        return outcome

    async def _batch(
        self, ctx: Context, policy: Policy, part: Slice[Any], size: int
    ) -> Part:
        execute = partial(self._value, policy, self.value)
        runner = BatchRunner(execute, self._subtasks.typed, policy, ctx.request().id)
        known = known_values(part.items)

        async def step() -> Part:
            return await runner.run(part, known)

        serde = self.part.beside(size, "its subtasks")
        options = RunOptions[Part](serde=serde, max_attempts=policy.max_attempts)
        return await ctx.run_typed("execute", step, options)

    async def _handle(self, ctx: Context, subtask: object) -> bytes:
        """The value that handler code gives, as JSON."""
        try:
            return self.value.serialize(await self.execute(ctx, subtask))
        except RetryableError as error:  # attempts that ask for a delay are not counted
            raise RetryableError(error.message, error.status_code) from error

    async def _value(
        self, policy: Policy, value: Json[Any], subtask: object, attempt: Attempt
    ) -> bytes:
        timeout = policy.attempt_timeout
        seconds = timeout.total_seconds() if timeout else None
        given = (subtask, attempt)[: len(self.execute.parameters)]
        return value.serialize(await self.execute(*given, seconds=seconds))


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
        else:
            check_policy_elsewhere(changed)
    return changed


@contextmanager
def _bad_request(name: str) -> Generator[None]:
    try:
        yield
    except (DefinitionError, ValidationError) as error:
        raise TerminalError(f"the policy of {name}: {error}", 400) from error
