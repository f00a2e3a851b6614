"""hypercorn's HTTP/2, mended: it survives late data, and is quicker with large values.

In hypercorn 0.18 data for a stream that has ended raises a KeyError that takes down
the whole connection, with every call on it; Restate retries them, but that takes
seconds. An invocation whose last message crosses with the server's is enough.
https://github.com/pgjones/hypercorn/pull/334 mends it there; until it is released, such
data is dropped here.
"""

from typing import Any

import hypercorn.protocol
from h2.connection import ConnectionState
from h2.settings import SettingCodes
from hypercorn.protocol.h2 import H2Protocol
from hyperframe.frame import DataFrame

# Each frame costs the same in Python, whatever it holds, and the default is 16 KiB.
# hypercorn acknowledges at once what it reads: a window bounds only what is under way.
_FRAME = 256 * 1024
_WINDOW = 4 * 1024 * 1024


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
        self._is_flushing = False
        settings = self.connection.local_settings
        settings[SettingCodes.MAX_FRAME_SIZE] = _FRAME
        settings[SettingCodes.INITIAL_WINDOW_SIZE] = _WINDOW
        settings.acknowledge()  # in force before the other side knows of them
        self.connection.max_inbound_frame_size = _FRAME

    async def _flush(self) -> None:
        """Send what there is together with what else this turn of the loop gives."""
        if self.connection.state_machine.state is ConnectionState.CLOSED:
            await super()._flush()
        elif not self._is_flushing:
            self._is_flushing = True
            self.task_group.spawn(self._flush_all)  # pyright: ignore[reportUnknownMemberType] - half typed

    async def _flush_all(self) -> None:
        self._is_flushing = False
        await super()._flush()

    async def initiate(self, *args: Any, **kwargs: Any) -> None:
        """Begin, and open the window of the whole connection."""
        await super().initiate(*args, **kwargs)
        self.connection.increment_flow_control_window(_WINDOW)
        await self._flush()


def _name(self: DataFrame) -> str:
    return type(self).__name__


def mend() -> None:
    """Have hypercorn use the mended protocol in this process."""
    setattr(hypercorn.protocol, H2Protocol.__name__, _Mended)
    # h2 writes out each frame that comes, in hex, for a log that is off.
    DataFrame._body_repr = _name  # pyright: ignore[reportPrivateUsage]
