"""The size of frames, the windows for them, and the log of them."""

from typing import Any

from h2.settings import SettingCodes
from hypercorn.protocol.h2 import H2Protocol
from hyperframe.frame import DataFrame

# hypercorn acknowledges at once what it reads: a window bounds only what is under way.
_FRAME = 256 * 1024
_WINDOW = 4 * 1024 * 1024


class LargeFrames(H2Protocol):
    """Receive large frames; each one costs the same in Python, whatever it holds.

    The default is 16 KiB a frame, in windows of 64 KiB. `Config.
    h2_max_inbound_frame_size` is set after h2 has read it, and is not announced to the
    client; for the windows hypercorn has no setting.

    For hypercorn 0.18; `H2Protocol.__init__` in src/hypercorn/protocol/h2.py of
    https://github.com/pgjones/hypercorn.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        settings = self.connection.local_settings
        settings[SettingCodes.MAX_FRAME_SIZE] = _FRAME
        settings[SettingCodes.INITIAL_WINDOW_SIZE] = _WINDOW
        settings.acknowledge()  # in force before the other side knows of them
        self.connection.max_inbound_frame_size = _FRAME

    async def initiate(self, *args: Any, **kwargs: Any) -> None:
        """Begin, and open the window of the whole connection."""
        await super().initiate(*args, **kwargs)
        self.connection.increment_flow_control_window(_WINDOW)
        await self._flush()


def log_no_data() -> None:
    """Keep data out of h2's log of frames; h2 formats it for a log that is off.

    `H2Connection._receive_frame` formats each frame before it knows whether tracing is
    on, and `DataFrame` writes out its data in hex for that.

    For hyperframe 6.1 with h2 4.4; `Frame._body_repr` in src/hyperframe/frame.py of
    https://github.com/python-hyper/hyperframe.
    """
    DataFrame._body_repr = _name  # pyright: ignore[reportPrivateUsage] - no public one


def _name(self: DataFrame) -> str:
    return type(self).__name__
