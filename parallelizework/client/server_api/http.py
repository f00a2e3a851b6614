"""`Http`: requests to a restate-server, sent again where that is safe."""

from asyncio import sleep
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import httpx
from pydantic import JsonValue, TypeAdapter, ValidationError
from pydantic_core import from_json

from parallelizework.client.models import FrozenModel
from parallelizework.errors import Refused, Unreachable

T = TypeVar("T")

_PAUSES = (0.1, 0.3, 1.0)  # seconds between attempts: a server that restarts, no more
_OUTAGE = (*_PAUSES, 2.0, 4.0)  # a cluster that has to find another leader
_AWAY = (502, 503, 504)  # from a proxy, or the ingress, where the server is away
_LONGEST = 300  # characters of a page that a proxy answers with
_TIMEOUT = 30.0  # seconds; the server answers what is not an attach within one
_CONNECT = 5.0  # seconds; a server that is there accepts a connection at once
_JSON = "application/json"
_SHORTEST = 1.0  # seconds to connect, where a request waits for less


class TimedOut(Unreachable):
    """A request was accepted, but not answered within its timeout."""


class Outage(Unreachable):
    """A proxy, or the ingress, could not pass a request on."""


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


class ServerError(FrozenModel):
    """An error of Restate."""

    message: str
    source: str | None = None
    restate_code: str | None = None
    metadata: dict[str, JsonValue] | None = None


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: The HTTP status.
        source: Who failed, as the header `x-restate-error-source` says.
    """

    status: int
    body: bytes = b""
    source: str = ""

    @property
    def ok(self) -> bool:
        """Whether the server did what it was asked."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the HTTP success codes

    @property
    def error(self) -> ServerError | None:
        """The error of Restate in the body; None where there is none."""
        try:
            return ServerError.model_validate_json(self.body)
        except ValidationError:
            return None

    @property
    def message(self) -> str:
        """The message of an error, as Restate words it."""
        if self.error and self.error.message:
            return self.error.message
        text = " ".join(self.body.decode(errors="replace").split())
        return text[:_LONGEST] or f"status {self.status}"

    @property
    def is_outage(self) -> bool:
        """Whether a proxy, or the ingress, could not pass the request on."""
        source = self._source
        is_of_proxy = source == "ingress" or not (source or self.error)
        return self.status in _AWAY and is_of_proxy

    @property
    def is_of_invocation(self) -> bool:
        """Whether an error is how the invocation has ended."""
        return bool(self.error) and self._source in ("invocation", "")

    @property
    def _source(self) -> str:
        return self.source or (self.error and self.error.source) or ""

    def read(self, key: str, kind: type[T]) -> T:
        """What the body has under a key."""
        return TypeAdapter(kind).validate_python(from_json(self.body)[key])


class Http:
    """Connections to a restate-server.

    Args:
        transport: How requests are sent; by default by TCP.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.client = httpx.AsyncClient(trust_env=False, transport=transport)

    async def ask(self, request: Request) -> Answer:
        """Send a request; a repeatable one again, when nobody was there to accept it.

        Raises:
            TimedOut: Somebody has it, and does not answer.
            Unreachable: Nobody answers, or only a proxy that does not reach the server.
        """
        attempt = 0
        while True:
            try:
                return await self._sent(request)
            except TimedOut:
                raise
            except Unreachable as error:
                pauses = _OUTAGE if isinstance(error, Outage) else _PAUSES
                if not request.repeatable or attempt >= len(pauses):
                    raise
            await sleep(pauses[attempt])
            attempt += 1

    async def need(self, request: Request) -> Answer:
        """`ask`, where only success is of use.

        Raises:
            Unreachable: Nobody answers.
            Refused: The answer is an error.
        """
        answer = await self.ask(request)
        if not answer.ok:
            raise Refused(f"{request.method} {request.url}: {answer.message}")
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    async def _sent(self, request: Request) -> Answer:
        connect = min(_CONNECT, max(request.timeout, _SHORTEST))
        of_body = {} if request.body is None else {"content-type": _JSON}
        try:
            response = await self.client.request(
                request.method,
                request.url,
                params=request.query or None,
                headers={"accept": _JSON, **of_body, **request.headers},
                content=request.body,
                timeout=httpx.Timeout(connect, read=request.timeout),
            )
        except (httpx.ReadTimeout, httpx.PoolTimeout) as error:
            raise TimedOut(
                f"{request.url} was not answered within {request.timeout:g} s"
            ) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise _unreachable(request, error) from error
        source = response.headers.get("x-restate-error-source", "")
        answer = Answer(response.status_code, response.content, source)
        if answer.is_outage:
            raise Outage(
                f"{request.method} {request.url} was answered with {answer.status} by "
                "a proxy or the ingress, which cannot reach the restate-server: "
                f"{answer.message}"
            )
        return answer


def _unreachable(request: Request, error: Exception) -> Unreachable:
    origin = "/".join(request.url.split("/", 3)[:3])
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return Unreachable(
        f"no restate-server answers at {origin} ({reason}): start one with "
        "`parallelizework dev`, or say where it is with --ingress and --admin, or "
        "PARALLELIZEWORK_INGRESS_URL and _ADMIN_URL"
    )
