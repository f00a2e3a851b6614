"""An HTTP server that misbehaves on purpose: its path says how."""

from . import answers, failures, limits
from .server import MIB, Misbehaving, misbehaving

__all__ = ["MIB", "Misbehaving", "answers", "failures", "limits", "misbehaving"]
