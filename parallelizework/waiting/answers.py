"""`FanOutAnswers`: the virtual object that accepts the answers for waiting subtasks.

Its key is the key of a subtask, `attempt.key`. The first answer counts. An answer may
come before the subtask waits.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from restate import ObjectContext, ObjectSharedContext, TerminalError, VirtualObject

from parallelizework.definition.execute import ExecuteDefinition
from parallelizework.messages import HandlerName
from parallelizework.outcomes import Fault
from parallelizework.restate_sdk import virtual_object
from parallelizework.serde.message import Message
from parallelizework.serde.validated_json import Json
from parallelizework.waiting.kept import Kept, KeptState, answer_json, send_answer
from parallelizework.waiting.models import (
    ANSWERS,
    Answer,
    Answered,
    Waiter,
    Withdrawal,
    service_of,
)

_EARLY = timedelta(days=7)  # how long an answer is kept before its subtask waits
_BAD_REQUEST, _NOT_FOUND, _CONFLICT, _GONE = 400, 404, 409, 410

waiter_json = Message[Waiter](Waiter, "a waiter")
withdrawal_json = Message[Withdrawal](Withdrawal, "the end of a wait")
withdrawn_json = Message[bool](bool, "whether a subtask has withdrawn")
_any_json = Json[Any](Any, "the value", status=_BAD_REQUEST)


class Refusal(BaseModel):
    """The body of `fail`: why the subtask fails.

    Attributes:
        message: The message of the failure.
        code: The code of the failure: an HTTP status, 400 to 599.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    message: str
    code: int = Field(default=500, ge=400, le=599)


class _State(KeptState):
    """What is known of one key.

    Attributes:
        waiter: The subtask that waits, or has waited.
        answer: The answer that counts.
        ended: How the subtask has ended, if it has ended without an answer.
    """

    waiter: Waiter | None = None
    answer: Answer | None = None
    ended: str | None = None


_refusal_json = Json[Refusal | str](Refusal | str, "the failure", status=_BAD_REQUEST)
_kept = Kept(ANSWERS, _State)
_accepted_json = Json[Answered](Answered, "the accepted answer")


def answer_value_json(definition: ExecuteDefinition) -> Json[Any]:
    """Return the JSON of the values that an answer may have."""
    name = f"the answer for a subtask of {definition.name}"
    return Json[Any](definition.value, name, status=_BAD_REQUEST)


def checked(value_json: Json[Any], body: bytes) -> bytes:
    """Return a value as the JSON that `execute` would have returned.

    Raises:
        TerminalError: 400; the JSON does not fit the type.
    """
    return value_json.serialize(value_json.accept(body))


def answers_object(definitions: Iterable[ExecuteDefinition]) -> VirtualObject:
    """Return the virtual object `FanOutAnswers`. Its key is the key of a subtask.

    Args:
        definitions: How the services of this worker execute subtasks.
    """
    types = {each.name: answer_value_json(each) for each in definitions}

    async def succeed(ctx: ObjectContext, body: bytes) -> bytes:
        """Answer with a value: the subtask succeeds. The body is the value's JSON."""
        service, state = _service(ctx), await _kept.get(ctx)
        _check_open(state)
        if service in types:
            body = checked(types[service], body)
        elif state.waiter:  # another worker serves it
            body = await ctx.generic_call(service, HandlerName.CHECK_ANSWER, body)
        # In all other cases, `awaitAnswer` checks the value.
        return _accept(ctx, state, Answer(value=_any_json.accept(body)))

    async def fail(ctx: ObjectContext, body: bytes) -> bytes:
        """Answer with a failure: `{"message": "declined", "code": 402}`, or a text."""
        _service(ctx)
        state, refusal = await _kept.get(ctx), _refusal_json.accept(body)
        _check_open(state)
        if isinstance(refusal, str):
            refusal = Refusal(message=refusal)
        fault = Fault(status="failed", message=refusal.message, code=refusal.code)
        return _accept(ctx, state, Answer(fault=fault))

    return virtual_object(
        ANSWERS,
        "The answers for subtasks of fan-outs that wait",
        private=(expect, withdraw, forget),
        public=(succeed, fail),
        shared=(get,),
    )


async def expect(ctx: ObjectContext, body: bytes) -> bytes:
    """Note which subtask waits, and send the answer if it has come already."""
    waiter, state = waiter_json.deserialize(body), await _kept.get(ctx)
    answer = state.answer
    if answer and state.waiter:  # the same subtask again: it has refused the answer
        answer = None
    if answer:
        send_answer(ctx, waiter, answer)
    update = {"waiter": waiter, "answer": answer}
    _kept.keep(ctx, state.model_copy(update=update), timedelta(seconds=waiter.kept_for))
    return b""


async def withdraw(ctx: ObjectContext, body: bytes) -> bytes:
    """Note that the subtask no longer waits, unless an answer was sent before."""
    withdrawal, state = withdrawal_json.deserialize(body), await _kept.get(ctx)
    if not state.answer and state.timer:  # otherwise the key is forgotten
        ended = "timed out" if withdrawal.status == "timed_out" else "was cancelled"
        _kept.set(ctx, state.model_copy(update={"ended": ended}))
    return withdrawn_json.serialize(not state.answer)


async def forget(ctx: ObjectContext, body: bytes) -> bytes:
    """Forget the key, unless its time was set anew."""
    await _kept.forget(ctx, body)
    return b""


async def get(ctx: ObjectSharedContext) -> bytes:
    """Return `{"is_waiting": ..., "is_answered": ..., "ended": ...}` of the key."""
    state = await _kept.get(ctx)
    return _any_json.serialize(
        {
            "is_waiting": bool(state.waiter and not state.answer and not state.ended),
            "is_answered": state.answer is not None,
            "ended": state.ended,
        }
    )


def _accept(ctx: ObjectContext, state: _State, answer: Answer) -> bytes:
    """Store the first answer, and send it to the subtask that waits.

    Raises:
        TerminalError: 409; another answer was first.
    """
    if state.answer and _json(state.answer) != _json(answer):
        raise TerminalError(f"{ctx.key()} has another answer already", _CONFLICT)
    accepted = Answered(is_first=not state.answer, is_waiting=bool(state.waiter))
    if not state.answer:
        answered = state.model_copy(update={"answer": answer})
        if state.waiter:
            send_answer(ctx, state.waiter, answer)
            _kept.set(ctx, answered)
        else:
            _kept.keep(ctx, answered, _EARLY)
    return _accepted_json.serialize(accepted)


def _json(answer: Answer) -> bytes:
    return answer_json.serialize(answer)  # 1 and true are equal, but not as JSON


def _service(ctx: ObjectContext) -> str:
    """The service whose subtask has the key.

    Raises:
        TerminalError: 404; this is not a key of a subtask.
    """
    service = service_of(ctx.key())
    if service is None:
        raise TerminalError(
            f"{ctx.key()!r} is not the key of a subtask: use attempt.key, such as "
            "Payments-inv_1dbC8PLq0BM70000Vw",
            _NOT_FOUND,
        )
    return service


def _check_open(state: _State) -> None:
    """Check that the subtask has not ended without an answer.

    Raises:
        TerminalError: 410; the subtask has ended.
    """
    if state.ended:
        message = f"the subtask no longer waits for an answer: it {state.ended}"
        raise TerminalError(message, _GONE)
