"""`configure` and `adopt`: where the records of the log go, and in which format."""

import logging
from collections.abc import Iterable
from logging.config import dictConfig
from typing import Any

from parallelizework.observation.observer import track_attempts
from parallelizework.serving.logs.json_lines import JsonLines
from parallelizework.serving.logs.records import RecordFilter
from parallelizework.settings import LogFormat

_logger = logging.getLogger(__name__)
_NO_EFFECT = (
    "PARALLELIZEWORK_LOG_FORMAT=json has no effect: a served module configures logging"
)
_QUIET = {
    "hypercorn.error": logging.ERROR,  # it would log the address again
    # It would log the URL of each request of HttpFanOut, with the secrets in the URL.
    "httpx": logging.WARNING,
}


def configure(log_format: LogFormat = "text") -> None:
    """Log to stderr, unless the served modules have configured logging.

    Args:
        log_format: The format of a line.
    """
    is_ours = not logging.root.handlers
    if is_ours:
        dictConfig(_logging(log_format))
    _quiet()
    # By default, a dictConfig disables the loggers that existed before it.
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("parallelizework"):
            logging.getLogger(name).disabled = False
    if log_format == "json" and is_ours:
        track_attempts()
    elif log_format == "json":
        _logger.warning(_NO_EFFECT)


def adopt(handlers: Iterable[logging.Handler], log_format: LogFormat) -> None:
    """Log by the handlers of a platform, such as AWS Lambda.

    Args:
        handlers: The handlers. They write the text of a formatter as it is.
        log_format: The format of a line; with `text`, the platform formats the lines.
    """
    _quiet()
    for handler in handlers:
        handler.addFilter(RecordFilter())
        if log_format == "json":
            handler.setFormatter(JsonLines(end="\n"))
    if log_format == "json":
        track_attempts()


def _quiet() -> None:
    for name, level in _QUIET.items():
        logger = logging.getLogger(name)
        logger.setLevel(logger.level or level)


def _logging(log_format: LogFormat) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"record": {"()": RecordFilter}},
        "formatters": {
            "text": {
                "format": "%(asctime)s %(levelname)s pid=%(process)d "
                "invocation=%(restate_invocation)s %(message)s"
            },
            "json": {"()": JsonLines},
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "filters": ["record"],
                "formatter": log_format,
            }
        },
        "root": {"level": "INFO", "handlers": ["stderr"]},
    }
