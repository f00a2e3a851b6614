"""`Refusal`: what the sender of a request receives after an error, and the log."""

import logging
from dataclasses import dataclass

from restate import TerminalError

from parallelizework.definition.job import TookTooLong
from parallelizework.errors import ParallelizeworkError

_BAD_REQUEST, _FAILED = 400, 500
_MAX_MESSAGE = 200  # characters
_BAD_DATA = ValueError, LookupError, TypeError, AttributeError


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused.

    Attributes:
        status: The HTTP status for the sender.
        message: The message for the sender.
        cause: The error.
        level: The level of the log line.
        is_traced: Whether the log line has a traceback.
    """

    status: int
    message: str
    cause: Exception
    level: int = logging.WARNING
    is_traced: bool = False


def of_verify(error: Exception, function: str) -> Refusal:
    """Return the refusal for an error of the user's `verify`.

    The sender is a stranger. So the sender receives the message of a `ValueError` only:
    the text of another error may contain a secret.
    """
    match error:
        case TerminalError():
            return Refusal(error.status_code, error.message, error)
        case ParallelizeworkError() | TookTooLong():
            message = f"{function} failed: the log of the worker has the cause"
            return Refusal(_FAILED, message, error, logging.ERROR)
        case ValueError():
            return Refusal(_BAD_REQUEST, f"refused: {_short(str(error))}", error)
        case _:
            message = "refused: the request is not valid"
            return Refusal(_BAD_REQUEST, message, error, is_traced=True)


def of_event(error: Exception, function: str) -> Refusal:
    """Return the refusal for an error of the user's `event`.

    Most often, the request has not the expected content: then the same request would
    fail again.
    """
    match error:
        case TerminalError():
            return Refusal(error.status_code, error.message, error)
        case ParallelizeworkError():
            pass
        case _ if isinstance(error, _BAD_DATA):
            message = f"{function} cannot read the request: {_short(repr(error))}"
            return Refusal(_BAD_REQUEST, message, error, is_traced=True)
        case _:
            pass
    message = f"{function} failed: the log of the worker has the cause"
    return Refusal(_FAILED, message, error, logging.ERROR, is_traced=True)


def _short(text: str) -> str:
    return text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE]}..."
