"""Runs of the cluster's fan-out, asked for at any of its ingresses."""

import httpx


def ask(ingress: str, key: str, count: int) -> httpx.Response:
    """The answer to a run; the key makes it the same one wherever it is asked for."""
    return httpx.post(
        f"{ingress}/Squares/run",
        json=count,
        headers={"idempotency-key": key},
        timeout=200,
    )


def send(ingress: str, key: str, count: int) -> str:
    """Begin a run; its id."""
    answer = httpx.post(
        f"{ingress}/restate/send/Squares/run",
        json=count,
        headers={"idempotency-key": key},
        timeout=60,
    )
    return answer.raise_for_status().json()["invocationId"]


def done(ingress: str, run: str) -> int:
    """How many subtasks of a run have ended, as far as is known."""
    answer = httpx.get(f"{ingress}/FanOutProgress/{run}/get", timeout=60)
    return answer.json()["succeeded"] if answer.is_success else 0
