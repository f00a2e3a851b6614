"""The errors that a caller of parallelizework can catch.

ParallelizeworkError
├── DefinitionError     a fan-out is defined wrongly (a hint, a name, a callable)
├── TargetError         a target of `serve` or `dev` names nothing that can be served
├── SettingsError       a PARALLELIZEWORK_ variable has an invalid value
├── ExtraMissing        a package of an extra, such as [worker], is not installed
├── ServerNotFound      restate-server is not installed, and cannot be installed
├── PortInUse           another program uses the port
├── StartError          a server or a worker did not start, or it ended
├── RegistrationError   the restate-server refused to register a worker
└── ClientError         a client could not do what it was asked to do
    ├── Unreachable     no restate-server answers
    ├── Refused         the restate-server refused a request
    ├── UnknownFanOut   no registered worker serves a fan-out of that name
    ├── UnknownRun      the restate-server has no run with that id
    ├── UnknownSchedule no schedule has that name
    ├── NotRedrivable   the run cannot be redriven, for example because it succeeded
    ├── UnfitData       a task, a result or an option has an invalid value
    ├── RunFailed       the run ended without a result
    └── RunNotFinished  the run did not end in time; it continues

ParallelizeworkWarning
└── OtherTask           the idempotency key belongs to a run with another task

Inside a handler, a permanent error is a `restate.TerminalError` (see `serde`).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parallelizework.outcomes import CompletionReason


_EXTRAS = {
    "cronsim": "schedule",
    "cyclopts": "cli",
    "hypercorn": "worker",
    "platformdirs": "cli",
    "prometheus_client": "metrics",
    "restate": "worker",
    "rich": "cli",
}


class ParallelizeworkError(Exception):
    """The base class of all errors of parallelizework.

    Each message names the wrong value and the remedy.
    """


class ExtraMissing(ParallelizeworkError, ModuleNotFoundError):
    """A package of an extra of parallelizework is not installed.

    Install the extra that the message names.
    """

    def __init__(self, package: str, extra: str | None = None) -> None:
        super().__init__(
            f"the package {package!r} is not installed: "
            f"pip install 'parallelizework[{extra or _EXTRAS[package]}]'"
        )
        self.name = package


@contextmanager
def extras_named(extra: str | None = None) -> Generator[None, None, None]:
    """Name the extra if an import in the block does not find a package.

    Args:
        extra: The extra to name. Default: the first one that installs the package.

    Raises:
        ExtraMissing: The package is one that an extra installs.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name in _EXTRAS:
            raise ExtraMissing(error.name, extra) from None
        raise


class ParallelizeworkWarning(UserWarning):
    """The base class of all warnings of parallelizework."""


class OtherTask(ParallelizeworkWarning):
    """The idempotency key belongs to a run with another task.

    `submit` and `run` issue this warning. The new task is not executed: both methods
    use the run of the earlier task. Use another key for another task.
    """


class DefinitionError(ParallelizeworkError, TypeError):
    """A fan-out or an executor is defined wrongly.

    `FanOut(...)` and `Executor(...)` raise it, for example if a type hint is
    missing. `app` raises it if two services have the same name. The message names
    the function and the parameter. Correct the definition.
    """


class TargetError(ParallelizeworkError):
    """A target of `serve` or `dev` names nothing that can be served.

    The message says where parallelizework looked, or which objects can be served.
    """


class SettingsError(ParallelizeworkError):
    """An environment variable has an invalid value.

    The message names the variable, its value and the error. Correct the variable.
    """


class ServerNotFound(ParallelizeworkError):
    """The program restate-server is not installed, and it could not be installed.

    The message lists the ways to install it.
    """


class PortInUse(ParallelizeworkError):
    """Another program uses the port.

    Choose another port. For `dev` and `server`, port 0 means any free port.
    """


class StartError(ParallelizeworkError):
    """A server or a worker did not start, was not ready in time, or ended.

    The message contains the cause, or the last lines of the log.
    """


class RegistrationError(ParallelizeworkError):
    """The restate-server refused to register a worker.

    The message contains the server's reason. Often the URL is not the URL of a worker,
    or the server cannot reach the URL.
    """


class ClientError(ParallelizeworkError):
    """The base class of all errors of `Client` and `AsyncClient`."""


class Unreachable(ClientError):
    """No restate-server answers at the URL.

    Nothing answers, the answer does not arrive in time, or only a proxy answers. Start
    the server or correct its URL. A run that was submitted before continues.
    """


class Refused(ClientError):
    """The restate-server refused a request.

    For example, a run that has ended cannot be cancelled. The message contains the
    reason.
    """


class UnknownFanOut(ClientError):
    """No registered worker serves a fan-out of that name.

    The message contains similar names. Correct the name, or register the worker.
    """


class UnknownRun(ClientError):
    """The restate-server has no run with that id.

    Correct the id. By default, the server forgets a run one day after its end.
    """


class UnknownSchedule(ClientError):
    """No schedule has that name.

    Correct the name. `parallelizework schedule list` lists all schedules.
    """


class NotRedrivable(ClientError):
    """The run cannot be redriven.

    It has succeeded, or it has not ended, or nothing is kept of it. The message says
    which.
    """


class UnfitData(ClientError, ValueError):
    """A task or a result does not fit the types of the fan-out.

    `submit` also raises it for an invalid idempotency key and for an invalid delay.
    """


class RunFailed(ClientError):
    """The run ended without a result: it failed or was cancelled.

    `run.failures()` returns the subtasks that failed.

    Attributes:
        run: The run's id.
        status: The HTTP status of the failure, such as the status of a
            `TerminalError`; 409 if the run was cancelled.
        message: The error message of the run.
        reason: The `CompletionReason` that ended the run, such as
            `FAILURE_TOLERANCE_EXCEEDED`. None if no completion rule ended it, but an
            invalid task, or an error of `split` or `aggregate`.
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
        """Whether the run was cancelled."""
        return (self.status, self.message) == (409, "cancelled")

    def __reduce__(self) -> tuple[type[RunFailed], tuple[object, ...]]:
        """Make the error picklable, for example for multiprocessing."""
        return RunFailed, (self.run, self.status, self.message, self.reason)


class RunNotFinished(ClientError):
    """The run did not end within the given time; it continues.

    Call `result` again, or `attach` to the run later.

    Attributes:
        run: The run's id.
    """

    def __init__(self, run: str) -> None:
        super().__init__(
            f"{run} has not ended yet and continues; `parallelizework result {run}` "
            "waits for its result"
        )
        self.run = run

    def __reduce__(self) -> tuple[type[RunNotFinished], tuple[str]]:
        """Make the error picklable, for example for multiprocessing."""
        return RunNotFinished, (self.run,)
