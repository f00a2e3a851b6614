"""Fixes for HTTP/2 frames: their size, their windows, their headers and their log."""

from typing import Any

from h2.settings import SettingCodes
from hypercorn.protocol.h2 import H2Protocol
from hyperframe.frame import Frame

# hypercorn acknowledges data when it reads them: a window limits only the data that are
# on their way.
_FRAME = 256 * 1024
_WINDOW = 4 * 1024 * 1024


class LargeFrames(H2Protocol):
    """Receive large frames: the CPU time per frame does not depend on its size.

    By default, a frame has at most 16 KiB, and a window 64 KiB. hypercorn sets `Config.
    h2_max_inbound_frame_size` after h2 has read it, and does not announce it to the
    client. hypercorn has no setting for the windows.

    For hypercorn 0.18; `H2Protocol.__init__` in src/hypercorn/protocol/h2.py of
    https://github.com/pgjones/hypercorn.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settings = self.connection.local_settings
        settings[SettingCodes.MAX_FRAME_SIZE] = _FRAME
        settings[SettingCodes.INITIAL_WINDOW_SIZE] = _WINDOW
        settings.acknowledge()  # in force before the client knows them
        self.connection.max_inbound_frame_size = _FRAME

    async def initiate(self, *args: Any, **kwargs: Any) -> None:
        """Begin, and enlarge the window of the whole connection."""
        await super().initiate(*args, **kwargs)
        self.connection.increment_flow_control_window(_WINDOW)
        await self._flush()


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


def log_no_frames() -> None:
    """Prevent h2 from formatting each frame for a log that is off.

    `H2Connection._receive_frame` formats each frame. The text of a `DataFrame` has its
    data in hexadecimal digits.

    For hyperframe 6.1 with h2 4.4; `Frame.__repr__` in src/hyperframe/frame.py of
    https://github.com/python-hyper/hyperframe.
    """
    setattr(Frame, "__repr__", _name)  # noqa: B010 - pyright allows no assignment


def _name(self: Frame) -> str:
    return type(self).__name__
