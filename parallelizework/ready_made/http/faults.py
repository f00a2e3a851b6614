"""What goes wrong with an exchange, in our words: whether it may pass, and why."""

import ssl
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus

import httpx
from restate import TerminalError
from restate.exceptions import RetryableError

from parallelizework.ready_made.http.body import TooLarge
from parallelizework.ready_made.http.network import HostRefused

_SHOWN = 200  # characters of an error's body
_BAD_GATEWAY = 502
_GATEWAY_TIMEOUT = 504


class TooManyRedirects(Exception):
    """A chain of redirects does not end."""


@contextmanager
def told(about: str, *, seconds: float, most: int) -> Generator[None, None, None]:
    """Say an error that a request ends with.

    Args:
        about: The request.
        seconds: How long it may take.
        most: How many bytes its response may have.

    Raises:
        RetryableError: The network's fault, or a server's that does not speak well.
        TerminalError: It will not be otherwise the next time.
    """
    try:
        yield
    except HostRefused as error:
        raise TerminalError(f"{about} is not allowed: {error}", 403) from error
    except TooLarge as error:
        message = f"{about} answered with more than {most:,} bytes"
        raise TerminalError(message, 413) from error
    except TooManyRedirects as error:
        raise TerminalError(f"{about} redirects for ever", 508) from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        message = f"{about} redirects to what is no URL of http or https"
        raise TerminalError(message, _BAD_GATEWAY) from error
    except TimeoutError as error:
        message = f"{about} took longer than {seconds:g} s"
        raise RetryableError(message, _GATEWAY_TIMEOUT) from error
    except httpx.TimeoutException as error:
        message = f"{about} could not be connected to in time"
        raise RetryableError(message, _GATEWAY_TIMEOUT) from error
    except httpx.TransportError as error:
        kind = TerminalError if _is_untrusted(error) else RetryableError
        raise kind(f"{about} failed: {_reason(error)}", _BAD_GATEWAY) from error


def shown(url: httpx.URL) -> str:
    """A URL without what may be secret: a user, a password, a query."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


def answered(about: str, status: int, body: bytes) -> str:
    """A response that is an error, with the start of its body."""
    phrase = {each.value: each.phrase for each in HTTPStatus}.get(status, "")
    text = " ".join(body[: 4 * _SHOWN].decode(errors="replace").split())
    start = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return f"{about} answered {status} {phrase}".rstrip() + (start and f": {start}")


def _is_untrusted(error: BaseException | None) -> bool:
    """A certificate is wrong: somebody has to do something about that."""
    while error:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
