"""The log of a worker: one line per record on stderr, with process and invocation."""

import logging
from logging.config import dictConfig

from restate.extensions import current_context


def configure() -> None:
    """Log to stderr, unless the served modules have configured logging."""
    if not logging.root.handlers:
        dictConfig(_LOGGING)
    for name, level in _QUIET.items():
        logger = logging.getLogger(name)
        logger.setLevel(logger.level or level)
    # By default, a dictConfig disables the loggers that existed before it.
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("parallelizework"):
            logging.getLogger(name).disabled = False


class InvocationFilter(logging.Filter):
    """Adds the invocation id to each log record; `-` outside a handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the id; pass every record."""
        try:
            context = current_context()
        except LookupError:
            context = None
        record.invocation = context.request().id if context else "-"
        return True


_QUIET = {
    "hypercorn.error": logging.ERROR,  # it would log the address again
    # It would log the URL of each request of HttpFanOut, with the secrets in the URL.
    "httpx": logging.WARNING,
}
_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"invocation": {"()": f"{__name__}.{InvocationFilter.__name__}"}},
    "formatters": {
        "line": {
            "format": "%(asctime)s %(levelname)s pid=%(process)d "
            "invocation=%(invocation)s %(message)s"
        }
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "filters": ["invocation"],
            "formatter": "line",
        }
    },
    "root": {"level": "INFO", "handlers": ["stderr"]},
}
