"""`Exchange`: what a client asks and what it makes of the answers, without any I/O.

It is a generator that yields a `Request` and is sent its `Answer`, or yields a number
of seconds to pause; so it is written once, and run by a sync and an async client alike.
"""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast

from parallelizework.errors import Refused, Unreachable

T = TypeVar("T")

_PAUSES = (0.1, 0.3, 1.0)  # seconds between attempts: a server that restarts, no more
_OUTAGE = (*_PAUSES, 2.0, 4.0)  # a cluster that has to find another leader
_AWAY = (502, 503, 504)  # what a proxy says, or the ingress, of a server that is away
_LONGEST = 300  # characters of a page that a proxy answers with
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
    """What came back.

    Attributes:
        status: The HTTP status; 0 after a pause.
        source: Who failed, as the header `x-restate-error-source` says.
    """

    status: int = 0
    body: bytes = b""
    source: str = ""

    @property
    def ok(self) -> bool:
        """Whether the server did what it was asked."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the HTTP success codes

    @property
    def message(self) -> str:
        """The message of an error, as Restate words it."""
        if message := self.error.get("message"):
            return str(message)
        text = " ".join(self.body.decode(errors="replace").split())
        return text[:_LONGEST] or f"status {self.status}"

    @property
    def error(self) -> dict[str, Any]:
        """An error of Restate: `code`, `message`, `source`; empty if it is none."""
        try:
            body = self.json()
        except ValueError:
            return {}
        is_error = isinstance(body, dict) and "message" in body
        return cast(dict[str, Any], body) if is_error else {}

    @property
    def is_outage(self) -> bool:
        """Whether a proxy, or the ingress, could not pass the request on."""
        if self.status not in _AWAY:
            return False
        source = self.source or self.error.get("source")
        return source == "ingress" or not (source or self.error)

    @property
    def is_of_invocation(self) -> bool:
        """Whether an error is how the invocation has ended."""
        source = self.source or self.error.get("source", "invocation")
        return source == "invocation" and bool(self.error)

    def json(self) -> Any:
        """The body as plain JSON."""
        return json.loads(self.body)


Exchange = Generator[Request | float, Answer, T]


def ask(request: Request) -> Exchange[Answer]:
    """Send a request; one that is repeatable again, when nobody was there to take it.

    Raises:
        Unreachable: Nobody answers, or only a proxy that does not reach the server.
    """
    attempt = 0
    while True:
        try:
            answer = yield request
        except TimedOut:
            raise  # somebody was there, and has it
        except Unreachable:
            if not request.repeatable or attempt >= len(_PAUSES):
                raise
        else:
            if not answer.is_outage:
                return answer
            if not request.repeatable or attempt >= len(_OUTAGE):
                raise _outage(request, answer)
        yield _OUTAGE[attempt]
        attempt += 1


def _outage(request: Request, answer: Answer) -> Unreachable:
    return Unreachable(
        f"{request.method} {request.url} was answered with {answer.status} by a proxy "
        f"or the ingress, which cannot reach the restate-server: {answer.message}"
    )


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
