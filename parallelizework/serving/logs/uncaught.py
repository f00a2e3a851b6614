"""Errors and warnings that Python prints itself, as records of the log."""

import logging
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from parallelizework.errors import ParallelizeworkError
from parallelizework.serving.logs.json_lines import JsonLines
from parallelizework.settings import LogFormat

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_logger = logging.getLogger(__name__)


def log_all() -> None:
    """Log warnings, and the errors that Python would print to stderr."""
    logging.captureWarnings(capture=True)
    threading.excepthook = _log_error_of_thread
    sys.unraisablehook = _log_ignored_error


@contextmanager
def fatal_errors_logged(log_format: LogFormat) -> Generator[None]:
    """Log an error that ends this process as JSON, and exit with the code 1.

    With the format `text`, nothing is changed.

    Args:
        log_format: The format of the log.
    """
    if log_format == "text":
        yield
        return
    logging.lastResort = _early_handler()
    try:
        yield
    except ParallelizeworkError as error:  # its message is enough
        _logger.critical("process ends: %s", error)
        raise SystemExit(1) from error
    except Exception as error:
        _logger.critical("process ends: %r", error, exc_info=True)
        raise SystemExit(1) from error


def _early_handler() -> logging.Handler:
    """The handler of what served modules log before the log is configured."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(JsonLines())
    return handler


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
