"""Run an `Exchange` over httpx, sync or async."""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

from parallelizework.client.exchange import Answer, Exchange, Request, TimedOut
from parallelizework.errors import Unreachable

T = TypeVar("T")

_CONNECT = 5.0  # seconds; a server that is there takes a connection at once
_LEAST = 1.0  # seconds; where a request waits for less


def run(exchange: Exchange[T], http: httpx.Client) -> T:
    """Send what an exchange asks for until it has its answer."""
    try:
        step = next(exchange)
        while True:
            try:
                answer = _sent(step, http)
            except Unreachable as error:
                step = exchange.throw(error)
            else:
                step = exchange.send(answer)
    except StopIteration as end:
        return end.value


async def run_async(exchange: Exchange[T], http: httpx.AsyncClient) -> T:
    """The same, without blocking the event loop."""
    try:
        step = next(exchange)
        while True:
            try:
                answer = await _sent_async(step, http)
            except Unreachable as error:
                step = exchange.throw(error)
            else:
                step = exchange.send(answer)
    except StopIteration as end:
        return end.value


def _sent(step: Request | float, http: httpx.Client) -> Answer:
    if not isinstance(step, Request):
        time.sleep(step)
        return Answer()
    with _named(step):
        response = http.request(**_arguments(step))
    return _answer(response)


async def _sent_async(step: Request | float, http: httpx.AsyncClient) -> Answer:
    if not isinstance(step, Request):
        await asyncio.sleep(step)
        return Answer()
    with _named(step):
        response = await http.request(**_arguments(step))
    return _answer(response)


def _answer(response: httpx.Response) -> Answer:
    source = response.headers.get("x-restate-error-source", "")
    return Answer(response.status_code, response.content, source)


def _arguments(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "params": request.query or None,
        "headers": {"accept": "application/json", **request.headers},
        "content": request.body,
        "timeout": httpx.Timeout(
            min(_CONNECT, max(request.timeout, _LEAST)), read=request.timeout
        ),
    }


@contextmanager
def _named(request: Request) -> Generator[None, None, None]:
    """Say an error of httpx in our words."""
    try:
        yield
    except (httpx.ReadTimeout, httpx.PoolTimeout) as error:
        raise TimedOut(
            f"{request.url} was not answered within {request.timeout:g} s"
        ) from error
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise Unreachable(
            f"no restate-server answers at {_place(request.url)} ({_reason(error)}): "
            "start one with `parallelizework dev`, or say where it is with --ingress "
            "and --admin, or PARALLELIZEWORK_INGRESS_URL and _ADMIN_URL"
        ) from error


def _place(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
