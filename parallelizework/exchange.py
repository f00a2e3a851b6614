"""`Exchange`: what a client asks and what it makes of the answers, without any I/O.

It is a generator that yields a `Request` and is sent its `Answer`, or yields a number
of seconds to pause; so it is written once, and run by a sync and an async client alike.
"""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from parallelizework.errors import Refused, Unreachable

T = TypeVar("T")

_PAUSES = (0.1, 0.3, 1.0)  # seconds between attempts: a server that restarts, no more
_TIMEOUT = 30.0  # seconds; the server answers what is not an attach within one


class TimedOut(Unreachable):
    """A request was taken, but not answered within its timeout."""


@dataclass(frozen=True)
class Request:
    """One HTTP request.

    Attributes:
        url: All of it, without the query.
        query: What follows the question mark.
        body: JSON, or nothing.
        timeout: How long its answer may take, in seconds.
        repeatable: Sending it twice does what sending it once does.
    """

    method: Literal["GET", "POST", "PATCH"]
    url: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    timeout: float = _TIMEOUT
    repeatable: bool = False


@dataclass(frozen=True)
class Answer:
    """What came back: a status, 0 after a pause, and a body."""

    status: int = 0
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the server did what it was asked."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the HTTP success codes

    @property
    def message(self) -> str:
        """The message of an error, as Restate words it."""
        try:
            return str(self.json()["message"])
        except (ValueError, TypeError, KeyError):
            return self.body.decode(errors="replace") or f"status {self.status}"

    def json(self) -> Any:
        """The body as plain JSON."""
        return json.loads(self.body)


Exchange = Generator[Request | float, Answer, T]


def ask(request: Request) -> Exchange[Answer]:
    """Send a request; one that is repeatable again, when nobody was there to take it.

    Raises:
        Unreachable: Nobody answers.
    """
    for pause in _PAUSES if request.repeatable else ():
        try:
            return (yield request)
        except TimedOut:
            raise  # somebody was there, and has it
        except Unreachable:
            yield pause
    return (yield request)


def need(request: Request) -> Exchange[Answer]:
    """`ask`, where only success is of use.

    Raises:
        Unreachable: Nobody answers.
        Refused: The answer is an error.
    """
    answer = yield from ask(request)
    if not answer.ok:
        raise Refused(f"{request.method} {request.url}: {answer.message}")
    return answer
