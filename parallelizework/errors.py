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
