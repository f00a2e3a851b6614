"""Fixes of hypercorn and hyperframe, one module per fix, for the versions named here.

Each fix is a subclass of hypercorn's protocol, or a function. Its docstring describes
the bug and names the code that has the bug. A test of each fix fails once upstream has
fixed the bug: then delete the fix.
"""

import logging
from importlib.metadata import version

import hypercorn.protocol
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol

from parallelizework.serving.hypercorn_fixes.frames import (
    LargeFrames,
    TrustHeaders,
    log_no_frames,
)
from parallelizework.serving.hypercorn_fixes.full_queue import (
    FreeQueueOfHttp1,
    FreeQueueOfHttp2,
)
from parallelizework.serving.hypercorn_fixes.h2c_upgrade import NoUpgrade
from parallelizework.serving.hypercorn_fixes.idle_connection import EndIdle
from parallelizework.serving.hypercorn_fixes.joint_writes import JoinWrites
from parallelizework.serving.hypercorn_fixes.late_data import DropLateData
from parallelizework.serving.hypercorn_fixes.lost_connection import EndSending
from parallelizework.serving.hypercorn_fixes.paused_reading import EndPause
from parallelizework.serving.hypercorn_fixes.round_robin import SendRoundRobin
from parallelizework.serving.hypercorn_fixes.unexpected_error import CloseOnError
from parallelizework.serving.hypercorn_fixes.unfinished_answer import ResetUnfinished

_logger = logging.getLogger(__name__)
_VERSIONS = {"hypercorn": "0.18", "hyperframe": "6.1"}


class FixedH2Protocol(
    EndSending,
    CloseOnError,
    EndIdle,
    FreeQueueOfHttp2,
    ResetUnfinished,
    DropLateData,
    JoinWrites,
    LargeFrames,
    TrustHeaders,
    SendRoundRobin,
    H2Protocol,
):
    """hypercorn's HTTP/2 with all fixes; the first class handles an event first."""


class FixedH11Protocol(EndPause, EndIdle, FreeQueueOfHttp1, NoUpgrade, H11Protocol):
    """hypercorn's HTTP/1.1 with all fixes."""


def apply() -> None:
    """Apply the fixes in this process; with an unknown version, warn and apply none.

    Connections that are open already are not affected.
    """
    found = {name: version(name) for name in _VERSIONS}
    if any(not found[n].startswith(f"{v}.") for n, v in _VERSIONS.items()):
        _logger.warning("Serving without the fixes for %s: found %s", _VERSIONS, found)
        return
    setattr(hypercorn.protocol, H2Protocol.__name__, FixedH2Protocol)
    setattr(hypercorn.protocol, H11Protocol.__name__, FixedH11Protocol)
    log_no_frames()
