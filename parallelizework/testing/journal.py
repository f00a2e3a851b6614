"""`Journal`: the commands of an invocation, and the notifications that it received."""

from dataclasses import dataclass, field
from typing import Protocol

from restate.vm import Failure

CANCEL = "cancel"  # the name of the notification of a cancellation

Value = bytes | str | Failure | None


@dataclass(frozen=True)
class Request:
    """A call of a handler."""

    service: str
    handler: str
    body: bytes
    key: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    idempotency_key: str | None = None


@dataclass
class Journal:
    """The state of an invocation between its attempts.

    Attributes:
        commands: What the handler asked for, in order: a kind and its arguments.
        notifications: What the server answered, in order: the name of the notification,
            and a value. The name of the answer to a command is the command's index.
        retries: How often a `ctx.run` failed, by command.
    """

    commands: list[tuple[object, ...]] = field(default_factory=list[tuple[object, ...]])
    notifications: list[tuple[str, Value]] = field(
        default_factory=list[tuple[str, Value]]
    )
    retries: dict[str, int] = field(default_factory=dict[str, int])


class Outside(Protocol):
    """The server, as a handler uses it on behalf of its invocation.

    Attributes:
        state: The state of the virtual object.
    """

    state: dict[str, bytes]

    def call(self, request: Request, answer: str) -> str:
        """Make a call, and return its invocation id.

        Args:
            request: The call.
            answer: The name of the notification of the answer.
        """
        ...

    def send(self, request: Request, delay: float) -> str:
        """Make a one-way call after a delay in seconds; return its invocation id."""
        ...

    def sleep(self, seconds: float, end: str) -> None:
        """Set a timer.

        Args:
            seconds: The time.
            end: The name of the notification of the timer's end.
        """
        ...

    def signal(self, to: str, name: str, value: Value) -> None:
        """Send a signal to another invocation."""
        ...

    def cancel(self, to: str) -> None:
        """Cancel another invocation."""
        ...

    def mismatch(self, message: str) -> BaseException:
        """Report that a replay differs. The caller raises the returned exception."""
        ...
