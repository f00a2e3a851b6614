"""`healthy`: checks whether a server or a worker is ready."""

import httpx


def healthy(url: str) -> bool:
    """Check whether `GET url` succeeds within five seconds.

    Args:
        url: The URL of a health check: `/restate/health` of an ingress, `/health` of an
            admin API or of a worker.

    Returns:
        False if nothing answers, or the answer is not a success.
    """
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False
