"""`healthy`: whether a server or a worker is ready."""

import httpx


def healthy(url: str) -> bool:
    """Whether `GET url` answers with success."""
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False
