"""The errors a caller of parallelizework can catch.

ParallelizeworkError
├── DefinitionError     a FanOut was built wrongly (a hint, a name, a callable)
├── TargetError         what is to be served is not there, or not once
├── SettingsError       a PARALLELIZEWORK_ variable has a value that it cannot have
├── ExtraMissing        a package is not installed that an extra installs
├── ServerNotFound      no restate-server on this machine, and none to be had
├── PortInUse           a port that was asked for is taken
├── StartError          a process that we started ended, or never became ready
├── RegistrationError   the server refused the worker's deployment
└── ClientError         what a client asked for could not be done
    ├── Unreachable     no restate-server answers at an address
    ├── Refused         the server does not do what it was asked
    ├── UnknownFanOut   nothing of that name is served
    ├── UnknownRun      the server knows no run of that id
    ├── UnfitData       a task or a result that does not fit the fan-out's types
    ├── RunFailed       the run ended without a result
    └── RunNotFinished  the run has not ended within the time that was given

Inside a handler, what is permanent is a `restate.TerminalError` (see `serde`).

A `ParallelizeworkWarning` is about what was done all the same:
└── OtherTask           an idempotency key was used before, with another task
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parallelizework.outcomes import CompletionReason


_EXTRAS = {
    "cyclopts": "cli",
    "hypercorn": "worker",
    "platformdirs": "cli",
    "restate": "worker",
    "rich": "cli",
}


class ParallelizeworkError(Exception):
    """The base of every error that parallelizework raises on its own account."""


class ExtraMissing(ParallelizeworkError, ModuleNotFoundError):
    """A package is not installed that an extra of parallelizework installs.

    Install the extra that the message names.
    """

    def __init__(self, package: str) -> None:
        super().__init__(
            f"the package {package!r} is not installed: "
            f"pip install 'parallelizework[{_EXTRAS[package]}]'"
        )
        self.name = package


@contextmanager
def extras_named() -> Generator[None, None, None]:
    """Name the extra where an import in the block finds a package missing.

    Raises:
        ExtraMissing: An extra installs the package.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name in _EXTRAS:
            raise ExtraMissing(error.name) from None
        raise


class ParallelizeworkWarning(UserWarning):
    """The base of every warning of parallelizework."""


class OtherTask(ParallelizeworkWarning):
    """An idempotency key was used before, with another task: that one was not sent."""


class DefinitionError(ParallelizeworkError, TypeError):
    """A `FanOut` was built from something it cannot run."""


class TargetError(ParallelizeworkError):
    """What is to be served is not there, or two services have the same name."""


class SettingsError(ParallelizeworkError):
    """An environment variable has a value that it cannot have."""


class ServerNotFound(ParallelizeworkError):
    """There is no restate-server here, and none could be installed."""


class PortInUse(ParallelizeworkError):
    """A port that was asked for is taken by another program."""


class StartError(ParallelizeworkError):
    """A process that we started ended early, or was not ready in time."""


class RegistrationError(ParallelizeworkError):
    """The restate-server refused to register a deployment."""


class ClientError(ParallelizeworkError):
    """What a client asked for could not be done."""


class Unreachable(ClientError):
    """No restate-server answers at an address, or not in time, or only a proxy does."""


class Refused(ClientError):
    """The restate-server does not do what it was asked; the message is its own."""


class UnknownFanOut(ClientError):
    """Nothing of that name is served; the message has the nearest names."""


class UnknownRun(ClientError):
    """The restate-server knows no run of that id (it forgets one after a day)."""


class UnfitData(ClientError, ValueError):
    """A task or a result does not fit the types of the fan-out."""


class RunFailed(ClientError):
    """The run ended without a result.

    Attributes:
        run: Its id.
        status: An HTTP status: that of the `TerminalError`, 409 if it was cancelled.
        message: What went wrong.
        reason: The `CompletionReason` that ended it, such as
            `FAILURE_TOLERANCE_EXCEEDED`; None where no rule did, but an error of
            `split` or `aggregate`, or a task that is not valid.
    """

    def __init__(
        self,
        run: str,
        status: int,
        message: str,
        reason: CompletionReason | None = None,
    ) -> None:
        self.run = run
        self.status = status
        self.message = message
        self.reason = reason
        how = "was cancelled" if self.cancelled else f"failed with {status}: {message}"
        super().__init__(f"{run} {how}")

    @property
    def cancelled(self) -> bool:
        """Whether somebody cancelled it."""
        return (self.status, self.message) == (409, "cancelled")

    def __reduce__(self) -> tuple[type[RunFailed], tuple[object, ...]]:
        """Let it travel between processes."""
        return RunFailed, (self.run, self.status, self.message, self.reason)


class RunNotFinished(ClientError):
    """The run has not ended within the time that was given; it continues.

    Attributes:
        run: Its id.
    """

    def __init__(self, run: str) -> None:
        super().__init__(
            f"{run} has not ended yet and continues; `parallelizework result {run}` "
            "waits for its result"
        )
        self.run = run

    def __reduce__(self) -> tuple[type[RunNotFinished], tuple[str]]:
        """Let it travel between processes."""
        return RunNotFinished, (self.run,)
