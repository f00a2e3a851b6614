"""`RecordedAnswer`: the answer in the journal of an invocation that has ended once.

A restate-server stores an answer before it stores the end of the invocation. If the
server fails in between, the invocation is executed again. Then the SDK compares the new
answer to the recorded one; a different answer would stop the invocation. A function
that is executed in a step has the same value again. A first attempt has no step, so its
answer is read from the journal. The SDK (1.3) does not offer this: `ProtocolGuard`
collects the answer.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TypeGuard, TypeVar

from restate import Context, TerminalError
from restate.server_context import ServerInvocationContext

from parallelizework.attempts.time_left import time_left
from parallelizework.restate_sdk import (
    can_be_cancelled,
    is_resumed,
    until_cancelled,
)
from parallelizework.serde import restate_protocol as protocol

T = TypeVar("T")


class RecordedAnswer:
    """Collects the answer from the messages of one call, if its journal has only that.

    Attributes:
        body: The recorded answer as a message of the protocol, as far as it was read;
            None if the first command of the journal is another one.
        has_signal: Whether the journal has a signal. The only signal to an invocation
            without commands is that somebody cancelled it.
    """

    def __init__(self) -> None:
        self.body: bytearray | None = None
        self.has_signal = False
        self._commands = 0

    def begin(self, kind: int) -> bool:
        """Begin a message, and return whether its content belongs to the answer."""
        self._commands += protocol.is_command(kind)
        self.has_signal |= kind == protocol.SIGNAL
        is_answer = kind == protocol.OUTPUT and self._commands == 2  # noqa: PLR2004 - the first command is the input
        if is_answer:
            self.body = bytearray()
        return is_answer

    def value(self) -> bytes | None:
        """Return the recorded answer; None if there is none.

        Raises:
            TerminalError: The recorded answer is this error.
        """
        if self.body is None:
            return None
        output = dict(protocol.fields(bytes(self.body)))
        if protocol.FAILURE in output:
            raise _error(_bytes(output[protocol.FAILURE]))
        return _bytes(dict(protocol.fields(_bytes(output.get(protocol.VALUE)))).get(1))


_answer = ContextVar[RecordedAnswer]("parallelizework.recorded_answer")


def collect() -> RecordedAnswer:
    """Collect the recorded answer of the call that this task serves."""
    collected = RecordedAnswer()
    _answer.set(collected)
    return collected


def needs_no_step(ctx: Context) -> TypeGuard[ServerInvocationContext]:
    """Whether a function whose value is the answer can be executed without a step now.

    Then execute it by `without_step`. Ask for the `recorded_answer` before.

    A function that nobody can cancel must not run for long: so it needs a limit of its
    time. If the invocation is cancelled already, a step is not executed.
    """
    collected = _answer.get(None)
    if collected is None or not isinstance(ctx, ServerInvocationContext):
        return False
    if is_resumed(ctx):
        return False
    if can_be_cancelled(ctx):
        return True
    return time_left() is not None and not collected.has_signal


async def without_step(
    ctx: ServerInvocationContext, function: Callable[[], Awaitable[T]]
) -> T:
    """Execute a function outside of a step, until it ends or is cancelled.

    Raises:
        TerminalError: The invocation was cancelled.
        DisconnectedException: The connection to the server was lost.
    """
    if can_be_cancelled(ctx):
        return await until_cancelled(ctx, function)
    return await function()


def recorded_answer() -> bytes | None:
    """Return the recorded answer of this call; None if there is none.

    Raises:
        TerminalError: The recorded answer is this error.
    """
    collected = _answer.get(None)
    return collected.value() if collected else None


def _error(failure: bytes) -> TerminalError:
    code, message, metadata = 500, "", dict[str, str]()
    for number, field in protocol.fields(failure):
        if number == protocol.CODE and isinstance(field, int):
            code = field
        elif number == protocol.MESSAGE:
            message = _bytes(field).decode()
        elif number == protocol.METADATA:
            entry = dict(protocol.fields(_bytes(field)))
            metadata[_bytes(entry.get(1)).decode()] = _bytes(entry.get(2)).decode()
    return TerminalError(message, code, metadata=metadata or None)


def _bytes(field: int | bytes | None) -> bytes:
    return field if isinstance(field, bytes) else b""
