"""An HTTP server that responds to each request at once, to measure clients.

As a script, it serves on a free port of loopback, and prints the port.
"""

import asyncio

_BODY = b'{"ok": true}'
_ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
    % (len(_BODY), _BODY)
)
_END = b"\r\n\r\n"  # the end of a request without a body


class Answering(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for the responses."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Respond to each complete request."""
        *requests, self._rest = (self._rest + data).split(_END)
        self._transport.write(_ANSWER * len(requests))


async def main() -> None:
    """Serve until the process is stopped."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=1_024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
