"""`HttpClient`: sends a request once, within the limits of the worker's operator."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter

import httpx
from pydantic_core import to_json

from parallelizework.attempts.attempt import Postponed
from parallelizework.ready_made.http.hosts.allowed_hosts import AllowedHosts
from parallelizework.ready_made.http.hosts.checked_network import (
    CheckedNetwork,
    Resolve,
    resolved,
)
from parallelizework.ready_made.http.requests.request import Options, Request
from parallelizework.ready_made.http.requests.secrets import Secrets, redacted
from parallelizework.ready_made.http.requests.urls import origin_of, without_secrets
from parallelizework.ready_made.http.sending.errors import status_message, translated
from parallelizework.ready_made.http.sending.host_limiter import HostLimiter
from parallelizework.ready_made.http.sending.rate_limits import RateLimits, TooEarly
from parallelizework.ready_made.http.sending.redirects import exchange
from parallelizework.ready_made.http.sending.retries import BUSY, check, pause_after
from parallelizework.ready_made.http.sending.transport import client_over
from parallelizework.settings import HttpSettings

TIMEOUT = 30.0  # seconds; for a request without a timeout of its own
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})  # RFC 9110, 9.2.2


@dataclass(frozen=True)
class Reply:
    """A response with a status below 400.

    Attributes:
        status: The HTTP status.
        headers: The headers; `***` replaces the request's secrets.
        body: The body, unpacked; `***` replaces the request's secrets.
        url: The URL of the response, after all redirects.
        seconds: The duration of the exchange, without the wait for the host's limits.
    """

    status: int
    headers: httpx.Headers
    body: bytes
    url: str
    seconds: float


class HttpClient:
    """Sends requests over pooled connections, within the limits of the settings.

    A client belongs to the event loop that first uses it.

    Args:
        settings: The allowed hosts, the limits and the secrets.
        resolve: Looks up the addresses of a host.
    """

    def __init__(self, settings: HttpSettings, resolve: Resolve = resolved) -> None:
        self._settings = settings
        self._network = CheckedNetwork(AllowedHosts(settings.allowed_hosts), resolve)
        self._limiter = HostLimiter(settings.max_concurrency_per_host)
        self._rate_limits = RateLimits()
        self._max_retry_after = timedelta(seconds=settings.max_retry_after)
        self._max_postponement = timedelta(seconds=settings.max_postponement)
        self._secrets = Secrets(settings.secret, settings.hosts_of_secrets)
        self._opened: httpx.AsyncClient | None = None

    async def send(
        self,
        request: Request,
        options: Options | None = None,
        *,
        key: str | None = None,
    ) -> Reply:
        """Send a request once.

        Args:
            request: The request.
            options: The options; by default, those of a task without options.
            key: The `Idempotency-Key` for POST and PATCH, unless the request has such a
                header.

        Returns:
            The response, with a status below 400.

        Raises:
            Postponed: The host is busy: it has answered this request, or an earlier
                one, with a pause.
            RetryableError: The host did not reply, the reply is incomplete, or its
                status is worth another attempt.
            TerminalError: The status is final, the body is too large, the host is not
                allowed, or a secret is missing.
        """
        options, max_bytes = options or Options(), self._settings.max_body
        secrets = self._secrets.of(request)
        built = _built(self._http, request, secrets, key)
        about = f"{request.method} {without_secrets(built.url)}"
        seconds = min(request.timeout or TIMEOUT, self._settings.max_timeout)
        async with self._permitted(built, options, about):
            start = perf_counter()
            with translated(about, seconds=seconds, max_bytes=max_bytes):
                async with asyncio.timeout(seconds):
                    response, body = await exchange(
                        self._http,
                        built,
                        follow=options.follow_redirects,
                        secrets=secrets,
                        max_bytes=max_bytes,
                    )
            taken = perf_counter() - start
        body = redacted(body, secrets)
        message = status_message(about, response.status_code, body)
        self._check(response, message, start)
        return _reply(response, body, secrets, taken)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._opened:
            await self._opened.aclose()

    @property
    def _http(self) -> httpx.AsyncClient:
        if self._opened is None:
            self._opened = client_over(self._network)
        return self._opened

    @asynccontextmanager
    async def _permitted(
        self, request: httpx.Request, options: Options, about: str
    ) -> AsyncGenerator[None]:
        """Wait until the host accepts a request, and count it as in flight."""
        host, origin = request.url.raw_host.decode("ascii"), origin_of(request.url)
        is_sent = False
        while not is_sent:
            try:
                await self._rate_limits.wait(origin)
            except TooEarly as early:
                raise Postponed(
                    f"{about} was not sent, because {host} answered {early.status} "
                    "and asked for a pause",
                    early.status,
                    retry_after=timedelta(seconds=early.seconds),
                    within=self._max_postponement,
                ) from early
            async with self._limiter.held(host, options.max_concurrency_per_host):
                if self._rate_limits.is_open(
                    origin
                ):  # it may have closed during the wait
                    is_sent = True
                    yield

    def _check(self, response: httpx.Response, message: str, sent: float) -> None:
        """Raise the error of a response, if any; adapt the rate limit of its host."""
        origin, status = origin_of(response.request.url), response.status_code
        after = pause_after(response, self._max_retry_after)
        if after is not None and status in BUSY:
            self._rate_limits.refused(origin, status, after.total_seconds(), sent=sent)
        else:
            self._rate_limits.answered(origin)
        check(status, message, after, self._max_postponement)


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


def _reply(
    response: httpx.Response, body: bytes, secrets: Mapping[str, str], seconds: float
) -> Reply:
    headers = [(name, redacted(v, secrets)) for name, v in response.headers.raw]
    url = redacted(str(response.request.url).encode(), secrets).decode()
    return Reply(response.status_code, httpx.Headers(headers), body, url, seconds)
