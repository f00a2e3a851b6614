"""A fix for upgrades from HTTP/1.1 to HTTP/2."""

from typing import Any

from hypercorn.protocol.h11 import H11Protocol


class NoUpgrade(H11Protocol):
    """Ignore requests for an upgrade: invalid settings in them cause an error.

    RFC 9113 (3.1) has removed the upgrade: HTTP/2 without TLS begins with its preface.
    restate-server never requests an upgrade. hypercorn passes the client's settings to
    h2 without a check.

    For hypercorn 0.18; `H11Protocol._check_protocol` in src/hypercorn/protocol/h11.py
    of https://github.com/pgjones/hypercorn.
    """

    async def _check_protocol(self, event: Any) -> None:
        if event.method == b"PRI":
            await super()._check_protocol(event)
