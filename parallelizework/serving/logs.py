"""The log of a worker: one line a record, to stderr, with process and invocation."""

import logging
from logging.config import dictConfig

from restate.extensions import current_context


def configure() -> None:
    """Log to stderr, unless the modules that are served have set up logging."""
    if not logging.root.handlers:
        dictConfig(_LOGGING)
    for name, level in _QUIET.items():
        logger = logging.getLogger(name)
        logger.setLevel(logger.level or level)
    # Unless asked not to, a dictConfig silences the loggers that were there before it.
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("parallelizework"):
            logging.getLogger(name).disabled = False


class InvocationFilter(logging.Filter):
    """Adds the invocation id to a log record, or `-` outside of a handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        try:
            context = current_context()
        except LookupError:
            context = None
        record.invocation = context.request().id if context else "-"
        return True


_QUIET = {
    "hypercorn.error": logging.ERROR,  # it says once more where it serves
    # It would log the URL of each request of HttpFanOut, with all that is in it.
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
