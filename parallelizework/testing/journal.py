"""`Journal`: what an invocation has asked for, and what has come of it."""

from dataclasses import dataclass, field
from typing import Protocol

from restate.vm import Failure

CANCEL = "cancel"  # the notification

Value = bytes | str | Failure | None


@dataclass(frozen=True)
class Request:
    """What is called, and how."""

    service: str
    handler: str
    body: bytes
    key: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    idempotency_key: str | None = None


@dataclass
class Journal:
    """What outlives the attempts at an invocation.

    Attributes:
        commands: What the handler asked for, in order: a kind and what belongs to it.
        notifications: What has come since, in order: for which command, and a value.
        retries: How often a `ctx.run` failed, by command.
    """

    commands: list[tuple[object, ...]] = field(default_factory=list[tuple[object, ...]])
    notifications: list[tuple[str, Value]] = field(
        default_factory=list[tuple[str, Value]]
    )
    retries: dict[str, int] = field(default_factory=dict[str, int])


class Outside(Protocol):
    """What a handler can reach: the server, on behalf of its invocation.

    Attributes:
        state: Of the virtual object.
    """

    state: dict[str, bytes]

    def call(self, request: Request, answer: str) -> str:
        """Call; `answer` names the notification of the answer. Returns an id."""
        ...

    def send(self, request: Request, delay: float) -> str:
        """Send after so many seconds. Returns an id."""
        ...

    def sleep(self, seconds: float, end: str) -> None:
        """Set a timer; `end` names the notification of its end."""
        ...

    def signal(self, to: str, name: str, value: Value) -> None:
        """Send a signal to another invocation."""
        ...

    def cancel(self, to: str) -> None:
        """Cancel another invocation."""
        ...

    def mismatch(self, message: str) -> BaseException:
        """Report that a replay differs; raise the exception that is returned."""
        ...
