"""Upgrades from HTTP/1.1 to HTTP/2."""

from typing import Any

from hypercorn.protocol.h11 import H11Protocol


class NoUpgrade(H11Protocol):
    """Ignore the wish for an upgrade; settings that are noise end in an error.

    HTTP/2 without TLS begins with its preface. RFC 9113 (3.1) has given up the upgrade,
    restate-server never asks for it, and hypercorn hands the client's settings to h2
    without a check.

    For hypercorn 0.18; `H11Protocol._check_protocol` in src/hypercorn/protocol/h11.py
    of https://github.com/pgjones/hypercorn.
    """

    async def _check_protocol(self, event: Any) -> None:
        if event.method == b"PRI":
            await super()._check_protocol(event)
