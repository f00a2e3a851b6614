"""`Secrets`: headers whose values only the worker has; no answer contains them."""

from collections.abc import Callable, Mapping, Sequence

from restate import TerminalError

from parallelizework.ready_made.http.hosts.allowed_hosts import AllowedHosts
from parallelizework.ready_made.http.requests.request import (
    Request,
    Secret,
    is_header_value,
)

_HIDDEN = "***"


class Secrets:
    """Looks up the secrets of a request, for hosts that may receive them.

    Args:
        value: Returns the value of a secret; None if no secret has that name.
        hosts: The hosts of a secret, by its name. Other secrets are for all allowed
            hosts.
    """

    def __init__(
        self,
        value: Callable[[str], str | None],
        hosts: Mapping[str, Sequence[str]],
    ) -> None:
        self._value = value
        self._hosts = {name: AllowedHosts(named) for name, named in hosts.items()}

    def of(self, request: Request) -> dict[str, str]:
        """The secret headers of a request, by their names in lower case.

        Raises:
            TerminalError: 400; a secret is missing, or not allowed for this host.
        """
        return {
            name.lower(): self._checked(value.secret, request.host)
            for name, value in request.headers.items()
            if isinstance(value, Secret)
        }

    def _checked(self, name: str, host: str) -> str:
        hosts = self._hosts.get(name)
        if hosts is not None and not hosts.names(host):
            raise TerminalError(f"the secret {name} is not allowed for {host}", 400)
        value = (self._value(name) or "").strip()
        if not value:
            raise TerminalError(
                f"the worker has no secret {name}: set "
                f"PARALLELIZEWORK_HTTP_SECRET_{name} in its environment",
                400,
            )
        if not is_header_value(value):
            raise TerminalError(
                f"the secret {name} contains a line break or another control "
                "character, which a header cannot contain",
                400,
            )
        return value


def redacted(text: bytes, secrets: Mapping[str, str]) -> bytes:
    """A text with `***` instead of each secret and of the token after `Bearer`."""
    for secret in secrets.values():
        for shown in (secret, secret.split()[-1]):
            text = text.replace(shown.encode(), _HIDDEN.encode())
    return text
