"""`HttpClient`: sends a request, and says of what goes wrong whether it may pass."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter

import httpx
from pydantic_core import to_json

from parallelizework.attempts.attempt import Postponed
from parallelizework.ready_made.http.body import read
from parallelizework.ready_made.http.faults import (
    TooManyRedirects,
    answered,
    shown,
    told,
)
from parallelizework.ready_made.http.hosts import Hosts
from parallelizework.ready_made.http.network import CheckedNetwork, Resolve, resolved
from parallelizework.ready_made.http.pacer import Origin, Pacer, TooEarly
from parallelizework.ready_made.http.places import Places
from parallelizework.ready_made.http.request import Options, Request, check_url
from parallelizework.ready_made.http.retrying import BUSY, asked, check
from parallelizework.ready_made.http.secrets import Secrets, without
from parallelizework.ready_made.http.transport import pooled
from parallelizework.settings import HttpSettings

TIMEOUT = 30.0  # seconds for one request, unless it says otherwise
_REDIRECTS = 10  # in a row; who sends one further than that does so for ever
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})  # RFC 9110, 9.2.2
_OF_THE_ORIGIN = ("authorization", "cookie")
_NO_LOGIN = httpx.Auth()  # a redirect may name a user, whom nobody asked for


@dataclass(frozen=True)
class Reply:
    """What came back, with a status below 400.

    Attributes:
        url: Where it came from, at the end of all redirects.
        body: Unpacked; where it had the request's secrets, it has `***`.
        seconds: How long it took, once there was a place at the host.
    """

    status: int
    headers: httpx.Headers
    body: bytes
    url: str
    seconds: float


class HttpClient:
    """Sends requests over pooled connections, within the operator's limits.

    It belongs to the event loop that first uses it.

    Args:
        resolve: Looks up the addresses of a host.
    """

    def __init__(self, settings: HttpSettings, resolve: Resolve = resolved) -> None:
        self._settings = settings
        self._network = CheckedNetwork(Hosts(settings.allowed_hosts), resolve)
        self._places = Places(settings.max_concurrency_per_host)
        self._pacer = Pacer()
        self._longest = timedelta(seconds=settings.max_retry_after)
        self._within = timedelta(seconds=settings.max_postponement)
        self._secrets = Secrets(settings.secret, settings.hosts_of_secrets)
        self._pooled: httpx.AsyncClient | None = None

    async def send(
        self,
        request: Request,
        options: Options | None = None,
        *,
        key: str | None = None,
    ) -> Reply:
        """One attempt at a request.

        Args:
            key: The `Idempotency-Key`, where the method needs one and the request has
                none of its own.

        Raises:
            Postponed: The host answers, to this request or to others, that it has too
                much to do until some moment.
            RetryableError: No reply, one that is cut off, or one that asks to be tried
                again; not before the moment that it names.
            TerminalError: A reply that will not change, a body that is too large, a
                host that is not allowed, a secret that is missing.
        """
        options, limits = options or Options(), self._settings
        secrets = self._secrets.of(request)
        sent = _built(self._http, request, secrets, key)
        about = f"{request.method} {shown(sent.url)}"
        seconds = min(request.timeout or TIMEOUT, limits.max_timeout)
        async with self._turn(sent, options, about):
            start = perf_counter()
            with told(about, seconds=seconds, most=limits.max_body):
                async with asyncio.timeout(seconds):
                    response, body = await self._exchanged(sent, options, secrets)
            taken = perf_counter() - start
        body = without(secrets, body)
        self._check(response, answered(about, response.status_code, body), start)
        return _reply(response, body, secrets, taken)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._pooled:
            await self._pooled.aclose()

    @property
    def _http(self) -> httpx.AsyncClient:
        if self._pooled is None:
            self._pooled = pooled(self._network)
        return self._pooled

    @asynccontextmanager
    async def _turn(
        self, sent: httpx.Request, options: Options, about: str
    ) -> AsyncGenerator[None]:
        """Hold one of the host's connections, once the host accepts requests."""
        host, origin = sent.url.raw_host.decode("ascii"), _origin(sent.url)
        most, is_sent = options.max_concurrency_per_host, False
        while not is_sent:
            try:
                await self._pacer.wait(origin)
            except TooEarly as early:
                after = timedelta(seconds=early.seconds)
                raise Postponed(
                    f"{about} has not been sent, as {host} answered {early.status} "
                    "and asked to come back later",
                    early.status,
                    retry_after=after,
                    within=self._within,
                ) from early
            async with self._places.at(host, most):
                if self._pacer.is_open(origin):  # still, after the wait for it
                    is_sent = True
                    yield

    def _check(self, response: httpx.Response, message: str, sent: float) -> None:
        """Pass if a response is no error, and learn the pace that its host wants."""
        origin, status = _origin(response.request.url), response.status_code
        after = asked(response, self._longest)
        if after is not None and status in BUSY:
            self._pacer.refused(origin, status, after.total_seconds(), sent=sent)
        else:
            self._pacer.answered(origin)
        check(status, message, after, self._within)

    async def _exchanged(
        self, sent: httpx.Request, options: Options, secrets: Mapping[str, str]
    ) -> tuple[httpx.Response, bytes]:
        """The last response of a chain of redirects, with its body."""
        for _ in range(_REDIRECTS + 1):
            response = await self._http.send(sent, auth=_NO_LOGIN, stream=True)
            try:
                following = response.next_request
                if following is None or not options.follow_redirects:
                    return response, await read(response, self._settings.max_body)
            finally:
                await response.aclose()
            if _origin(following.url) != _origin(sent.url):
                for name in (*secrets, *_OF_THE_ORIGIN):
                    following.headers.pop(name, None)
            sent = _checked(following)
        raise TooManyRedirects


def _built(
    http: httpx.AsyncClient,
    request: Request,
    secrets: Mapping[str, str],
    key: str | None,
) -> httpx.Request:
    headers: dict[str, str] = {}
    content = (request.body or "").encode()
    if request.content is not None:
        headers["content-type"] = "application/json"
        content = to_json(request.content)
    if key and request.method not in _REPEATABLE:
        headers["idempotency-key"] = key
    given = {k.lower(): v for k, v in request.headers.items() if isinstance(v, str)}
    headers |= given | dict(secrets)
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return http.build_request(request.method, request.url, headers=raw, content=content)


def _checked(following: httpx.Request) -> httpx.Request:
    try:
        check_url(following.url)
    except ValueError as error:
        raise httpx.InvalidURL(str(error)) from error
    return following


def _reply(
    response: httpx.Response, body: bytes, secrets: Mapping[str, str], seconds: float
) -> Reply:
    headers = [(name, without(secrets, v)) for name, v in response.headers.raw]
    url = without(secrets, str(response.request.url).encode()).decode()
    return Reply(response.status_code, httpx.Headers(headers), body, url, seconds)


def _origin(url: httpx.URL) -> Origin:
    return url.scheme, url.raw_host, url.port
