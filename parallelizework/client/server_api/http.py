"""`Http`: requests to a restate-server, sent again if that is safe."""

from asyncio import sleep
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import httpx
from pydantic import JsonValue, TypeAdapter, ValidationError
from pydantic_core import from_json

from parallelizework.client.models import FrozenModel
from parallelizework.client.server_api.traceparent import trace_headers
from parallelizework.errors import Refused, Unreachable

T = TypeVar("T")

_PAUSES = (0.1, 0.3, 1.0)  # seconds between attempts: long enough for a restart
_OUTAGE_PAUSES = (*_PAUSES, 2.0, 4.0)  # a cluster may have to elect another leader
_OUTAGE = (502, 503, 504)  # a proxy or the ingress cannot reach the server
_SHOWN = 300  # characters of a proxy's page
_NOT_RESTATE = "the answer is not that of a restate-server: check the URL"
_TIMEOUT = 30.0  # seconds; the server answers within one, except to an attach
_CONNECT = 5.0  # seconds; a running server accepts a connection at once
_SHORTEST_CONNECT = 1.0  # seconds, also for a request with a shorter timeout
_JSON = "application/json"


class TimedOut(Unreachable):
    """The server accepted a request, but did not answer within the timeout."""


class Outage(Unreachable):
    """A proxy or the ingress could not forward a request."""


@dataclass(frozen=True)
class Request:
    """One HTTP request.

    Attributes:
        url: The URL without the query.
        query: The parameters of the query.
        body: The body, as JSON; None for no body.
        timeout: The longest time until the answer, in seconds.
        repeatable: Whether the request may be sent again without harm.
        for_admin: Whether the request is for the admin API.
    """

    method: Literal["GET", "POST", "PATCH"]
    url: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    timeout: float = _TIMEOUT
    repeatable: bool = False
    for_admin: bool = False


class ServerError(FrozenModel):
    """An error of Restate."""

    message: str
    source: str | None = None
    restate_code: str | None = None
    metadata: dict[str, JsonValue] | None = None


@dataclass(frozen=True)
class Answer:
    """The answer to a request.

    Attributes:
        status: The HTTP status.
        source: The header `x-restate-error-source`: the component that failed.
    """

    status: int
    body: bytes = b""
    source: str = ""

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the HTTP success codes

    @property
    def error(self) -> ServerError | None:
        """The error of Restate in the body; None if the body has no such error."""
        try:
            return ServerError.model_validate_json(self.body)
        except ValidationError:
            return None

    @property
    def message(self) -> str:
        """The message of the error, or the start of the body."""
        if self.error and self.error.message:
            return self.error.message
        text = " ".join(self.body.decode(errors="replace").split())
        return text[:_SHOWN] or f"status {self.status}"

    @property
    def is_outage(self) -> bool:
        """Whether a proxy or the ingress could not forward the request."""
        source = self._source
        is_of_proxy = source == "ingress" or not (source or self.error)
        return self.status in _OUTAGE and is_of_proxy

    @property
    def is_of_invocation(self) -> bool:
        """Whether the error is the outcome of the invocation."""
        return bool(self.error) and self._source in ("invocation", "")

    @property
    def is_of_ingress(self) -> bool:
        """Whether an ingress refused the request. An admin API names no source."""
        return not self.ok and self._source == "ingress"

    @property
    def _source(self) -> str:
        return self.source or (self.error and self.error.source) or ""

    def read(self, key: str, kind: type[T]) -> T:
        """The value of a key in the body.

        Raises:
            Refused: The body is not the answer of a restate-server.
        """
        try:
            return TypeAdapter(kind).validate_python(from_json(self.body)[key])
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(_NOT_RESTATE) from error


class Http:
    """Connections to a restate-server.

    Args:
        transport: Sends the requests; by default over TCP.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        # Each wait for a result has a connection of its own.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        self.client = httpx.AsyncClient(
            trust_env=False, transport=transport, limits=limits
        )

    async def ask(self, request: Request) -> Answer:
        """Send a request; send it again if it is repeatable and nothing accepted it.

        Raises:
            Refused: An ingress answers a request for the admin API.
            TimedOut: The request was accepted, but not answered in time.
            Unreachable: No server answers, or a proxy cannot reach the server.
        """
        attempt = 0
        while True:
            try:
                return await self._sent(request)
            except TimedOut:
                raise
            except Unreachable as error:
                pauses = _OUTAGE_PAUSES if isinstance(error, Outage) else _PAUSES
                if not request.repeatable or attempt >= len(pauses):
                    raise
            await sleep(pauses[attempt])
            attempt += 1

    async def need(self, request: Request) -> Answer:
        """Send a request that must succeed.

        Raises:
            Unreachable: No server answers.
            Refused: The answer is an error.
        """
        return succeeded(request, await self.ask(request))

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    async def _sent(self, request: Request) -> Answer:
        connect = min(_CONNECT, max(request.timeout, _SHORTEST_CONNECT))
        of_body = {} if request.body is None else {"content-type": _JSON}
        try:
            response = await self.client.request(
                request.method,
                request.url,
                params=request.query or None,
                headers={
                    "accept": _JSON,
                    **of_body,
                    **trace_headers(),
                    **request.headers,
                },
                content=request.body,
                timeout=httpx.Timeout(connect, read=request.timeout),
            )
        except httpx.ReadTimeout as error:
            raise TimedOut(
                f"{request.url} did not answer within {request.timeout:g} s"
            ) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise _unreachable(request, error) from error
        source = response.headers.get("x-restate-error-source", "")
        answer = Answer(response.status_code, response.content, source)
        if answer.is_outage:
            raise Outage(
                f"{request.method} {request.url} was answered with {answer.status} by "
                "a proxy or the ingress, which cannot reach the restate-server: "
                f"{answer.message}. Try again when the server runs."
            )
        if request.for_admin and answer.is_of_ingress:
            raise Refused(
                f"{_origin(request)} is the URL of an ingress, not of an admin API: "
                "set the URL of the admin API with --admin, or with "
                "PARALLELIZEWORK_ADMIN_URL"
            )
        return answer


def succeeded(request: Request, answer: Answer) -> Answer:
    """Return the answer to a request that must succeed.

    Raises:
        Refused: The answer is an error.
    """
    if not answer.ok:
        raise Refused(f"{request.method} {request.url}: {answer.message}")
    return answer


def _origin(request: Request) -> str:
    return "/".join(request.url.split("/", 3)[:3])


def _unreachable(request: Request, error: Exception) -> Unreachable:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return Unreachable(
        f"no restate-server answers at {_origin(request)} ({reason}): start one with "
        "`parallelizework dev`, or set its URLs with --ingress and --admin, or with "
        "PARALLELIZEWORK_INGRESS_URL and PARALLELIZEWORK_ADMIN_URL"
    )
