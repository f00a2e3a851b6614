"""`ProtocolGuard`: a worker accepts only messages that a restate-server may send.

A call is a sequence of messages. Each message begins with a head that contains the
message's length. The SDK trusts the head and keeps all following bytes in memory. The
guard ends a call that breaks the protocol before the SDK keeps the bytes.
"""

import gc
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from restate.server_context import DisconnectedException

from parallelizework.attempts.recorded_answer import RecordedAnswer, collect
from parallelizework.serving import shutdown

Event = Mapping[str, Any]
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_MIB = 1024 * 1024
_MAX_MESSAGE = 64 * _MIB  # one message; restate-server's own limit is 32 MiB
_MAX_CALL = 1024 * _MIB  # all messages of one call: its journal, with all values
_LARGE = 8 * _MIB  # a call after which garbage is collected
_HEAD = struct.Struct(">HHI")  # type, flags, length
_START = 0  # the type of the message with which every call begins
_OK = 200
_GONE = {"type": "http.disconnect"}


class ProtocolGuard:
    """An ASGI application that wraps the SDK's application.

    Args:
        app: The SDK's application.
        max_message: The largest size of one message, in bytes.
        max_call: The largest size of all messages of one call, in bytes.
    """

    def __init__(
        self, app: App, *, max_message: int = _MAX_MESSAGE, max_call: int = _MAX_CALL
    ) -> None:
        self._app = app
        self._max_message = max_message
        self._max_call = max_call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; answer 400 if it is not a call of a restate-server."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif scope["type"] == "lifespan":
            await _answer_lifespan(receive, send)
        elif scope["type"] != "http":
            await self._app(scope, receive, send)
        else:
            messages = Messages(self._max_message, self._max_call, collect())
            call = _Call(receive, send, messages)
            try:
                await self._app(scope, call.receive, call.send)
            except Exception:  # the SDK has logged it; the protocol was broken
                if call.is_answered:
                    raise
            await call.end()
            if call.messages.size > _LARGE:
                gc.collect()  # the SDK's errors are in reference cycles with its input


async def _answer_lifespan(receive: Receive, send: Send) -> None:
    """Answer the lifespan events of the ASGI server, as the SDK does not."""
    while True:
        event = await receive()
        if event["type"] == "lifespan.shutdown":
            shutdown.notify()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return


class _Call:
    """One request; the SDK's status 200 is held until the first message is valid."""

    def __init__(self, receive: Receive, send: Send, messages: "Messages") -> None:
        self._receive = receive
        self._send = send
        self.messages = messages
        self._held: Event | None = None
        self.is_answered = False  # at least in part

    async def receive(self) -> Event:
        """The next event; a disconnect if the request breaks the protocol."""
        event = await self._receive()
        if event["type"] == _GONE["type"]:
            self._held, self.is_answered = None, True  # the client has disconnected
            return event
        is_valid = self.messages.read(event.get("body", b""))
        if self._held and not (self.messages.begun or event.get("more_body")):
            return _GONE
        if self.messages.begun:
            await self._release()
        return event if is_valid else _GONE

    async def send(self, event: Event) -> None:
        """Send an event; hold the status 200."""
        if event["type"] == "http.response.start" and event["status"] == _OK:
            self._held = event
            return
        await self._release()
        self.is_answered = True
        await self._pass(event)

    async def end(self) -> None:
        """Answer with 400 if no answer was sent."""
        if self.is_answered:
            return
        await self._pass({"type": "http.response.start", "status": 400, "headers": []})
        await self._pass(
            {"type": "http.response.body", "body": b"not a call of a restate-server"}
        )

    async def _release(self) -> None:
        held, self._held = self._held, None
        if held:
            self.is_answered = True
            await self._pass(held)

    async def _pass(self, event: Event) -> None:
        """Send an event; if the connection is lost, raise the SDK's own exception.

        An error of the ASGI server means that the connection is lost. The SDK knows by
        its own exception that this is not an error of the handler.
        """
        try:
            await self._send(event)
        except Exception as error:
            raise DisconnectedException from error


class Messages:
    """Checks that the bytes of a call are messages of Restate's protocol.

    Attributes:
        begun: Whether the first head was read and is valid.
        size: The number of bytes that were read.
    """

    def __init__(
        self, max_message: int, max_call: int, answer: RecordedAnswer | None = None
    ) -> None:
        self.begun = False
        self._answer = answer or RecordedAnswer()
        self._is_answer = False  # the current message
        self.size = 0
        self._max_message = max_message
        self._max_call = max_call
        self._head = b""
        self._body = 0  # bytes of the current message that are still to come
        self._is_wrong = False

    def read(self, data: bytes) -> bool:
        """Read more bytes; return whether all bytes so far are valid."""
        self.size += len(data)
        self._is_wrong |= self.size > self._max_call
        offset = 0
        while offset < len(data) and not self._is_wrong:
            if self._body:
                step = min(self._body, len(data) - offset)
                if self._is_answer and self._answer.body is not None:
                    self._answer.body += data[offset : offset + step]
                self._body -= step
            else:
                step = min(_HEAD.size - len(self._head), len(data) - offset)
                self._read_head(data[offset : offset + step])
            offset += step
        return not self._is_wrong

    def _read_head(self, data: bytes) -> None:
        self._head += data
        if len(self._head) < _HEAD.size:
            return
        kind, _, self._body = _HEAD.unpack(self._head)
        self._head = b""
        self._is_answer = self._answer.begin(kind)
        is_start = kind == _START and self._body > 0
        self._is_wrong |= self._body > self._max_message or is_start == self.begun
        self.begun = not self._is_wrong
