"""`exchange`: sends a request, and follows redirects to allowed hosts."""

from collections.abc import Iterable

import httpx

from parallelizework.ready_made.http.requests.urls import check_url, origin_of
from parallelizework.ready_made.http.sending.body import read

_MAX_REDIRECTS = 10  # in a row; more of them would hardly end
_PRIVATE = ("authorization", "cookie")  # headers for the first origin only
_NO_LOGIN = httpx.Auth()  # ignores a user and a password in the URL of a redirect


class TooManyRedirects(Exception):
    """A request was redirected more than ten times."""


async def exchange(
    http: httpx.AsyncClient,
    request: httpx.Request,
    *,
    follow: bool,
    secrets: Iterable[str],
    max_bytes: int,
) -> tuple[httpx.Response, bytes]:
    """The last response of a chain of redirects, and its body.

    Args:
        follow: Whether to follow redirects.
        secrets: The names of headers that are not sent to another origin.
        max_bytes: The largest size of the body, in bytes.

    Raises:
        TooManyRedirects: The request was redirected more than ten times.
        TooLarge: The body is larger.
        httpx.InvalidURL: A redirect leads to a URL that is not http or https.
        httpx.TransportError: The network or the server failed.
    """
    private = (*secrets, *_PRIVATE)
    for _ in range(_MAX_REDIRECTS + 1):
        response = await http.send(request, auth=_NO_LOGIN, stream=True)
        try:
            following = response.next_request
            if following is None or not follow:
                return response, await read(response, max_bytes)
        finally:
            await response.aclose()
        if origin_of(following.url) != origin_of(request.url):
            for name in private:
                following.headers.pop(name, None)
        request = _checked(following)
    raise TooManyRedirects


def _checked(following: httpx.Request) -> httpx.Request:
    try:
        check_url(following.url)
    except ValueError as error:
        raise httpx.InvalidURL(str(error)) from error
    return following
