"""hypercorn's HTTP/2, mended: data for a stream that has ended is dropped.

In hypercorn 0.18 such data raises a KeyError that takes down the whole connection, with
every call on it; Restate retries them, but that takes seconds. An invocation whose last
message crosses with the server's is enough. https://github.com/pgjones/hypercorn/pull/334
mends it there; this module goes when it is released.
"""

from typing import Any

import hypercorn.protocol
from hypercorn.protocol.h2 import H2Protocol


class _Ended:
    """Stands in for a stream that is gone."""

    idle = True

    async def handle(self, event: object) -> None:
        """Drop the event."""


class _Streams(dict[int, Any]):
    def __missing__(self, stream_id: int) -> _Ended:
        return _Ended()


class _Mended(H2Protocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.streams = _Streams()


def mend() -> None:
    """Have hypercorn use the mended protocol in this process."""
    setattr(hypercorn.protocol, H2Protocol.__name__, _Mended)
