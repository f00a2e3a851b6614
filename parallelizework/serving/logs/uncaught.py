"""Errors and warnings that Python prints itself, as records of the log."""

import logging
import sys
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from parallelizework.errors import ParallelizeworkError
from parallelizework.serving.logs.json_lines import JsonLines
from parallelizework.settings import LogFormat

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_logger = logging.getLogger(__name__)
_warnings = logging.getLogger("py.warnings")  # as `logging.captureWarnings` calls it


@contextmanager
def fatal_errors_logged(log_format: LogFormat) -> Generator[None]:
    """Log what Python prints itself; log an error that ends this process, and exit.

    With the format `text`, nothing is changed. The exit code is 1.

    Args:
        log_format: The format of the log.
    """
    if log_format == "text":
        yield
        return
    _log_what_python_prints()
    try:
        yield
    except ParallelizeworkError as error:  # its message is enough
        _logger.critical("process ends: %s", error)
        raise SystemExit(1) from error
    except Exception as error:
        _logger.critical("process ends: %r", error, exc_info=True)
        raise SystemExit(1) from error


def _log_what_python_prints() -> None:
    logging.lastResort = _early_handler()
    warnings.showwarning = _log_warning
    threading.excepthook = _log_error_of_thread
    sys.unraisablehook = _log_ignored_error


def _early_handler() -> logging.Handler:
    """The handler of what served modules log before the log is configured."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(JsonLines())
    return handler


def _log_warning(  # noqa: PLR0913, PLR0917 - Python calls it
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    where = f"{filename}:{lineno}"
    _warnings.warning("%s: %s: %s", where, category.__name__, message)


def _log_error_of_thread(error: threading.ExceptHookArgs) -> None:
    if error.exc_type is SystemExit or error.exc_value is None:
        return
    thread = error.thread.name if error.thread else "?"
    exc_info = (error.exc_type, error.exc_value, error.exc_traceback)
    _logger.error("error in thread %s: %r", thread, error.exc_value, exc_info=exc_info)


def _log_ignored_error(error: "UnraisableHookArgs") -> None:
    what = error.err_msg or "error ignored in"
    value = error.exc_value
    exc_info = (error.exc_type, value, error.exc_traceback) if value else None
    _logger.error("%s: %r", what, error.object, exc_info=exc_info)
