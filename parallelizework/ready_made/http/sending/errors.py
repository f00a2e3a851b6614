"""The errors of a request: which are retried, which are final, all messages."""

import ssl
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus

import httpx
from restate import TerminalError
from restate.exceptions import RetryableError

from parallelizework.ready_made.http.hosts.checked_network import HostRefused
from parallelizework.ready_made.http.sending.body import TooLarge
from parallelizework.ready_made.http.sending.redirects import TooManyRedirects

_SHOWN = 200  # characters of an error's body
_BAD_GATEWAY = 502
_GATEWAY_TIMEOUT = 504


@contextmanager
def translated(about: str, *, seconds: float, max_bytes: int) -> Generator[None]:
    """Translate errors of httpx and of this client to errors of Restate.

    Args:
        about: The request, for the message.
        seconds: The longest time that the request may take.
        max_bytes: The largest size of the response's body.

    Raises:
        RetryableError: The network failed, or the server violated the protocol.
        TerminalError: Another attempt would fail in the same way.
    """
    try:
        yield
    except HostRefused as error:
        raise TerminalError(f"{about} is not allowed: {error}", 403) from error
    except TooLarge as error:
        message = f"{about} answered with more than {max_bytes:,} bytes"
        raise TerminalError(message, 413) from error
    except TooManyRedirects as error:
        raise TerminalError(f"{about} redirects more than 10 times", 508) from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        message = f"{about} redirects to a URL that is invalid or not http or https"
        raise TerminalError(message, _BAD_GATEWAY) from error
    except TimeoutError as error:
        message = f"{about} took longer than {seconds:g} s"
        raise RetryableError(message, _GATEWAY_TIMEOUT) from error
    except httpx.TimeoutException as error:
        message = f"{about} could not connect in time"
        raise RetryableError(message, _GATEWAY_TIMEOUT) from error
    except httpx.TransportError as error:
        kind = TerminalError if _is_untrusted(error) else RetryableError
        raise kind(f"{about} failed: {_reason(error)}", _BAD_GATEWAY) from error


def status_message(about: str, status: int, body: bytes) -> str:
    """The message for an error status, with the start of the response's body."""
    phrase = {each.value: each.phrase for each in HTTPStatus}.get(status, "")
    text = " ".join(body[: 4 * _SHOWN].decode(errors="replace").split())
    start = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return f"{about} answered {status} {phrase}".rstrip() + (start and f": {start}")


def _is_untrusted(error: BaseException | None) -> bool:
    """Whether the certificate is invalid: then a retry does not help."""
    while error:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
