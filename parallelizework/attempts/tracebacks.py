"""Errors and values of the user's code as text, without frames of ours and the SDK."""

import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

_FRAMEWORK = frozenset(
    {"anyio", "asyncio", "concurrent", "contextlib", "parallelizework", "restate"}
)
# The functions of ready-made fan-outs are treated like a user's own.
_READY_MADE = "parallelizework.ready_made."
_LIBRARIES = tuple(
    str(Path(sysconfig.get_path(name))) for name in ("stdlib", "purelib", "platlib")
)


def of_user(error: BaseException) -> TracebackType | None:
    """Return the traceback from the first frame on that is not of a framework.

    None if all frames are of frameworks.
    """
    return next(
        (each for each in _all(error.__traceback__) if not _is_framework(each)), None
    )


def location(error: BaseException) -> str:
    """Return where the user's code raised an error: `shrink, album.py:12`.

    Empty if the traceback has no frame of the user.
    """
    frames = list(_all(of_user(error)))
    if not frames:
        return ""
    own = [each for each in frames if not _is_library(each)] or frames
    code = own[-1].tb_frame.f_code
    return f"{code.co_name}, {Path(code.co_filename).name}:{own[-1].tb_lineno}"


def formatted(error: BaseException) -> str:
    """Return the traceback of the user's frames, as Python prints it."""
    lines = traceback.format_exception(type(error), error, of_user(error))
    return "".join(lines).rstrip()


def shown(value: object) -> str:
    """Return the `repr` of a value, also if a user's `__repr__` raises an error."""
    try:
        return repr(value)
    except Exception:
        return f"{type(value).__name__}(...)"


def _all(found: TracebackType | None) -> Iterator[TracebackType]:
    while found:
        yield found
        found = found.tb_next


def _is_framework(found: TracebackType) -> bool:
    module = str(found.tb_frame.f_globals.get("__name__", ""))
    if module.startswith(_READY_MADE):
        return False
    return module.partition(".")[0] in _FRAMEWORK


def _is_library(found: TracebackType) -> bool:
    return found.tb_frame.f_code.co_filename.startswith(_LIBRARIES)
