"""A fix for the cost of headers: h2 checks each of them several times."""

from typing import Any

from hypercorn.protocol.h2 import H2Protocol


class TrustHeaders(H2Protocol):
    """Accept headers without h2's checks, and send them without.

    The checks take about a tenth of the CPU time of a call. They protect a proxy from
    requests that two servers would read differently. A worker is no proxy: it reads a
    few headers by name, and its own headers are constants.

    For hypercorn 0.18, which has no setting for this; `H2Protocol.__init__` in
    src/hypercorn/protocol/h2.py of https://github.com/pgjones/hypercorn.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        config = self.connection.config
        config.validate_inbound_headers = config.normalize_inbound_headers = False
        config.validate_outbound_headers = config.normalize_outbound_headers = False
