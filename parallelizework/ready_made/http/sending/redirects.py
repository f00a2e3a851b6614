"""`exchange`: sends a request, and follows redirects to where they are allowed."""

from collections.abc import Iterable

import httpx

from parallelizework.ready_made.http.requests.urls import check_url, origin_of
from parallelizework.ready_made.http.sending.body import read

_REDIRECTS = 10  # in a row; a server that sends more will not stop
_PRIVATE = ("authorization", "cookie")  # headers for the first origin only
_NO_LOGIN = httpx.Auth()  # a redirect may name a user, which the task did not


class TooManyRedirects(Exception):
    """A chain of redirects does not end."""


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
        secrets: The names of headers that no other origin may see.
        max_bytes: The size that the body may have.

    Raises:
        TooManyRedirects: There are more than ten.
        TooLarge: The body has more bytes.
        httpx.InvalidURL: A redirect leads to no URL of http or https.
        httpx.TransportError: The network or the server failed.
    """
    private = (*secrets, *_PRIVATE)
    for _ in range(_REDIRECTS + 1):
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
