"""`Gate`: a worker hears no more than a restate-server could have to say.

What comes is messages, each with a head that says how long it is. The SDK believes
that, and keeps whatever comes; here a call that lies is cut off, before it is held.
"""

import gc
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from restate.server_context import DisconnectedException

from parallelizework.serving import shutdown

Event = Mapping[str, Any]
Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_MIB = 1024 * 1024
_LONGEST = 64 * _MIB  # one message; restate-server's own limit is 32 MiB
_MOST = 1024 * _MIB  # all that one call is sent: its journal, with all values in it
_LARGE = 8 * _MIB
_HEAD = struct.Struct(">HHI")  # type, flags, length
_START = 0  # the type of the message with which every call begins
_OK = 200
_GONE = {"type": "http.disconnect"}


class Gate:
    """An ASGI application around that of the SDK.

    Args:
        longest: Bytes of one message.
        most: Bytes of all the messages of one call.
    """

    def __init__(self, app: App, *, longest: int = _LONGEST, most: int = _MOST) -> None:
        self._app = app
        self._longest = longest
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; 400 for one that is no call of a restate-server."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] != "http":
            await self._app(scope, receive, send)
        else:
            call = _Call(receive, send, Messages(self._longest, self._most))
            try:
                await self._app(scope, call.receive, call.send)
            except Exception:  # of the SDK, which has logged it: another protocol
                if call.is_answered:
                    raise
            await call.end()
            if call.messages.size > _LARGE:
                gc.collect()  # the SDK's errors refer to themselves, and to its input


async def _live(receive: Receive, send: Send) -> None:
    """Answer a server that starts, and one that shuts down: the SDK does neither."""
    while True:
        event = await receive()
        if event["type"] == "lifespan.shutdown":
            shutdown.notify()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return


class _Call:
    """One request: the 200 that the SDK gives at once waits for the first message."""

    def __init__(self, receive: Receive, send: Send, messages: "Messages") -> None:
        self._receive = receive
        self._send = send
        self.messages = messages
        self._held: Event | None = None
        self.is_answered = False  # in part at least

    async def receive(self) -> Event:
        """What comes next; an end, where something comes that cannot be."""
        event = await self._receive()
        if event["type"] == _GONE["type"]:
            self._held, self.is_answered = None, True  # there is nobody left to tell
            return event
        fits = self.messages.take(event.get("body", b""))
        if self._held and not (self.messages.begun or event.get("more_body")):
            return _GONE
        if self.messages.begun:
            await self._release()
        return event if fits else _GONE

    async def send(self, event: Event) -> None:
        """Pass on what is said."""
        if event["type"] == "http.response.start" and event["status"] == _OK:
            self._held = event
            return
        await self._release()
        self.is_answered = True
        await self._pass(event)

    async def end(self) -> None:
        """Say what is wrong, if nothing has been said yet."""
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
        """Send; where the ASGI server cannot any more, the connection is gone.

        So say it in the SDK's own words: it is no error of the handler that sends.
        """
        try:
            await self._send(event)
        except Exception as error:
            raise DisconnectedException from error


class Messages:
    """Whether the bytes that come are messages of Restate's protocol, and how many.

    Attributes:
        begun: The first head has come, and is right.
        size: How many bytes have come.
    """

    def __init__(self, longest: int, most: int) -> None:
        self.begun = False
        self.size = 0
        self._longest = longest
        self._most = most
        self._head = b""
        self._body = 0  # bytes of the present message that are still to come
        self._is_wrong = False

    def take(self, data: bytes) -> bool:
        """Read on; whether all is well so far."""
        self.size += len(data)
        self._is_wrong |= self.size > self._most
        place = 0
        while place < len(data) and not self._is_wrong:
            if self._body:
                step = min(self._body, len(data) - place)
                self._body -= step
            else:
                step = min(_HEAD.size - len(self._head), len(data) - place)
                self._read_head(data[place : place + step])
            place += step
        return not self._is_wrong

    def _read_head(self, data: bytes) -> None:
        self._head += data
        if len(self._head) < _HEAD.size:
            return
        kind, _, self._body = _HEAD.unpack(self._head)
        self._head = b""
        is_start = kind == _START and self._body > 0
        self._is_wrong |= self._body > self._longest or is_start == self.begun
        self.begun = not self._is_wrong
