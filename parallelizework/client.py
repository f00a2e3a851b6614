"""`Admin`: a restate-server's admin interface over plain HTTP."""

import httpx

from parallelizework.errors import RegistrationError


class Admin:
    """A restate-server's admin interface.

    Args:
        url: Where it listens, such as `http://localhost:9070`. It asks for no
            authentication: keep it on loopback.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def register(self, worker: str, *, force: bool = False) -> list[str]:
        """Register the worker at the URL `worker`; answer with its services' names.

        Args:
            worker: The URL at which the restate-server reaches the worker.
            force: Replace what the same URL served before, with other handlers; runs
                in flight may then fail to replay.

        Raises:
            RegistrationError: The server is not there, or refused.
        """
        body = {"uri": worker, "force": force}
        try:
            answer = httpx.post(
                f"{self.url}/deployments", json=body, timeout=30, trust_env=False
            )
        except httpx.TransportError as error:
            raise RegistrationError(
                f"no restate-server admin answers at {self.url}: {error}"
            ) from error
        if answer.is_error:
            raise RegistrationError(f"{worker} was not registered: {answer.text}")
        return [service["name"] for service in answer.json()["services"]]


def healthy(url: str) -> bool:
    """Whether `GET url` answers with success."""
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False
