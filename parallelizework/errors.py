"""The errors a caller of parallelizework can catch.

ParallelizeworkError
├── DefinitionError   a FanOut was built wrongly (a hint, a name, a callable)
├── TargetError       MODULE:OBJECT names no FanOut
├── ServerNotFound    no restate-server on this machine, and none to be had
├── PortInUse         a port that was asked for is taken
├── StartError        a process that we started ended, or never became ready
└── RegistrationError the server refused the worker's deployment

Inside a handler, what is permanent is a `restate.TerminalError` (see `serde`).
"""

from restate import TerminalError
from restate.exceptions import RetryableError

_LONGEST = 4_096  # characters of a message: it is repeated wherever the error goes
_CODES = range(400, 600)


class ParallelizeworkError(Exception):
    """The base of every error that parallelizework raises on its own account."""


class DefinitionError(ParallelizeworkError, TypeError):
    """A `FanOut` was built from something it cannot run."""


class TargetError(ParallelizeworkError):
    """A `MODULE:OBJECT` on the command line names no `FanOut`."""


class ServerNotFound(ParallelizeworkError):
    """There is no restate-server here, and none could be installed."""


class PortInUse(ParallelizeworkError):
    """A port that was asked for is taken by another program."""


class StartError(ParallelizeworkError):
    """A process that we started ended early, or was not ready in time."""


class RegistrationError(ParallelizeworkError):
    """The restate-server refused to register a deployment."""


def sendable(error: BaseException) -> BaseException:
    """An error of a user's function as Restate can carry it.

    It has no place for an error code that is none of HTTP's, nor for a message of any
    length; either would have it retried for ever.
    """
    if isinstance(error, TerminalError | RetryableError):
        message, code = short(error.message), error.status_code
        code = code if code in _CODES else 500
        if (message, code) == (error.message, error.status_code):
            return error
        if isinstance(error, RetryableError):
            return RetryableError(message, code, error.retry_after)
        return TerminalError(message, code)
    message = short(repr(error))
    return error if message == repr(error) else RuntimeError(message)


def short(message: str) -> str:
    """A message of bounded length."""
    return message if len(message) <= _LONGEST else f"{message[:_LONGEST]}..."
