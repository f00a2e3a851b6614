"""`WaitHandler`: the handlers `awaitAnswer` and `checkAnswer`.

`awaitAnswer` is suspended while it waits: a suspended invocation has no slot, no
connection and no memory of a worker.
"""

from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import restate
from restate import Context, RestateDurableFuture, TerminalError

from parallelizework.attempts.retries import Retries, fresh
from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.headers import name_in
from parallelizework.outcomes import TIMED_OUT, Event, Fault, Reminder
from parallelizework.policy import Policy
from parallelizework.restate_sdk import is_resumed, suspended_after
from parallelizework.serde.message import Message
from parallelizework.serde.validated_json import Json
from parallelizework.terminal_errors import error_of, is_cancelled
from parallelizework.waiting.answers import (
    answer_value_json,
    checked,
    waiter_json,
    withdrawal_json,
    withdrawn_json,
)
from parallelizework.waiting.kept import answer_json
from parallelizework.waiting.models import (
    WAIT_HEADER,
    Answer,
    Wait,
    Waiter,
    Withdrawal,
    answer_name,
)

_logger = restate.getLogger(__name__)  # pyright: ignore[reportUnknownMemberType] - half typed

_wait_json = Message[Wait](Wait, "how a subtask waits")
# Seconds until a wait suspends the invocation. If the wait is over before, the server
# still sends the answer to this attempt, also while `remind` executes.
_PATIENCE = 0.1
_KEPT_AFTER = timedelta(days=1)  # how long the key is kept after the end of the wait


class WaitHandler:
    """The handlers `awaitAnswer` and `checkAnswer`.

    Args:
        definition: The function that executes subtasks.

    Attributes:
        answer_json: JSON of the values that `checkAnswer` accepts.
    """

    def __init__(self, definition: ExecuteDefinition) -> None:
        self.answer_json: Json[Any] = answer_value_json(definition)
        self._definition = definition

    async def await_answer(self, ctx: Context, body: bytes) -> bytes:
        """Wait for the answer of a subtask, and return its value."""
        headers = ctx.request().headers
        subtask, policy = self._definition.accept(body, headers)
        wait = _wait_json.deserialize(headers[WAIT_HEADER].encode())
        subtask_json = self._definition.subtask_json
        subtasks = fresh(subtask, lambda: subtask_json.deserialize(body))
        waiting = WaitingSubtask(ctx, self._definition, policy, wait, subtasks)
        while True:
            answer = await waiting.answer()
            if answer.fault:
                raise error_of(answer.fault)
            if answer.event:
                return await waiting.receive(answer.event)
            try:
                return self.answer_json.serialize(self.answer_json.typed(answer.value))
            except TerminalError as error:  # nobody could check the value before
                name = name_in(headers)
                _logger.warning("answer refused: %s: %s", name, error.message)

    async def check_answer(self, _ctx: Context, body: bytes) -> bytes:
        """Return a value as JSON, if it is a value of a subtask."""
        return checked(self.answer_json, body)


class _Ended(Exception):
    """The wait ended while `remind` executed or paused."""


class WaitingSubtask:
    """A subtask that waits for its answer.

    Args:
        ctx: The context of the invocation.
        definition: The functions of the user.
        policy: The policy of the run.
        wait: How the subtask waits.
        subtasks: The subtask, for each call of a function of the user.
    """

    def __init__(
        self,
        ctx: Context,
        definition: ExecuteDefinition,
        policy: Policy,
        wait: Wait,
        subtasks: Iterator[object],
    ) -> None:
        self._ctx = ctx
        # In the first attempt, nobody has answered yet.
        self._patience = _PATIENCE if is_resumed(ctx) else 0
        self._definition = definition
        self._policy = policy
        self._retries = Retries(ctx, definition.name, policy)
        self._subtasks = subtasks
        self._wait = wait
        self._late = ctx.sleep(timedelta(seconds=wait.within))
        self._answers = 0  # how many were awaited before
        self._reminders = 0  # how many were sent
        self._next: RestateDurableFuture[None] | None = None
        self._plan_reminder()

    async def answer(self) -> Answer:
        """Wait for the next answer, and remind meanwhile.

        Raises:
            TerminalError: 504, no answer was accepted in time; or the subtask was
                cancelled.
        """
        answer = self._expected()
        error = await self._end(answer)
        if error and await self._withdraw(error):
            raise error
        return await answer

    async def receive(self, event: Event) -> bytes:
        """Return the value that an event means, as JSON.

        Raises:
            TerminalError: `receive` has failed; or the data of the event is no value.
        """
        value_json, receive = self._definition.value_json, self._definition.receive
        if not receive:
            return value_json.serialize(value_json.typed(event.data))

        async def execute(_number: int) -> bytes:
            subtask, received = next(self._subtasks), deepcopy(event)
            value = await receive(subtask, received, seconds=self._seconds)
            return value_json.serialize(value)

        return await self._retries.value(receive, execute)

    def _expected(self) -> RestateDurableFuture[Answer]:
        """The next answer. The virtual object of the key learns who waits."""
        wait, number = self._wait, self._answers
        self._answers += 1
        waiter = Waiter(
            invocation=self._ctx.request().id,
            service=self._definition.name,
            number=number,
            kept_for=wait.within + _KEPT_AFTER.total_seconds(),
        )
        body = waiter_json.serialize(waiter)
        self._ctx.generic_send(wait.target, "expect", body, key=wait.awaited)
        return self._ctx.signal(answer_name(number), serde=answer_json)

    async def _end(self, answer: RestateDurableFuture[Answer]) -> TerminalError | None:
        """Wait for the answer. Return the error if the wait ends without one."""
        try:
            while True:
                awaited = [answer, self._late, *([self._next] if self._next else [])]
                with suspended_after(self._ctx, self._patience):
                    ended, _ = await restate.wait_completed(*awaited)
                if answer in ended:
                    return None
                if self._late in ended:
                    return error_of(self._timeout)
                await self._remind(answer)
        except TerminalError as error:
            return error

    async def _withdraw(self, error: TerminalError) -> bool:
        """Withdraw from the virtual object; `False` if an answer was accepted before.

        Such an answer is the signal that is on its way.
        """
        status = "cancelled" if is_cancelled(error) else "timed_out"
        withdrawal = Withdrawal(invocation=self._ctx.request().id, status=status)
        body, wait = withdrawal_json.serialize(withdrawal), self._wait
        called = self._ctx.generic_call(wait.target, "withdraw", body, key=wait.awaited)
        with suspended_after(self._ctx, self._patience):
            return withdrawn_json.deserialize(await called)

    async def _remind(self, answer: RestateDurableFuture[Answer]) -> None:
        """Call the user's `remind` once. A failure of it does not end the wait.

        If the wait ends meanwhile, no other attempt at `remind` follows.
        """
        self._reminders += 1
        is_last = self._reminders == self._wait.reminders
        reminder = Reminder(self._reminders, is_last, self._wait.awaited)
        self._plan_reminder()
        remind = self._definition.remind
        if not remind:
            return

        async def execute(_number: int) -> bytes:
            await remind(next(self._subtasks), reminder, seconds=self._seconds)
            return b"null"

        async def settle(future: RestateDurableFuture[Any]) -> Any:
            ended, _ = await restate.wait_completed(future, answer, self._late)
            if future in ended:
                return await future
            raise _Ended

        policy = self._policy.model_copy(update={"on_exhausted": "fail"})
        retries = replace(self._retries, policy=policy, settle=settle)
        with suppress(_Ended):
            try:
                await retries.value(remind, execute)
            except TerminalError as error:
                if is_cancelled(error):
                    raise

    def _plan_reminder(self) -> None:
        self._next = None
        if self._reminders < self._wait.reminders and self._definition.remind:
            self._next = self._ctx.sleep(timedelta(seconds=self._wait.remind_every))

    @property
    def _seconds(self) -> float | None:
        """How long one call of a function of the user may take."""
        timeout = self._policy.attempt_timeout
        return timeout.total_seconds() if timeout else None

    @property
    def _timeout(self) -> Fault:
        message = f"no answer came within {self._wait.within:g} s"
        return Fault(status="timed_out", message=message, code=TIMED_OUT)
