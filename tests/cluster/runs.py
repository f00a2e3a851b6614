"""Runs of the cluster's fan-out, asked for at any of its ingresses."""

from pathlib import Path

import httpx

from tests.integration.processes import LONG


def ask(ingress: str, key: str, count: int) -> httpx.Response:
    """The answer to a run; the key makes it the same one wherever it is asked for."""
    return httpx.post(
        f"{ingress}/Squares/run",
        json={"count": count},
        headers={"idempotency-key": key},
        timeout=LONG,
    )


def send(ingress: str, key: str, count: int, held_by: Path | None = None) -> str:
    """Begin a run, held up half way by a file; its id."""
    answer = httpx.post(
        f"{ingress}/restate/send/Squares/run",
        json={"count": count, "held_by": str(held_by) if held_by else None},
        headers={"idempotency-key": key},
        timeout=LONG,
    )
    return answer.raise_for_status().json()["invocationId"]


def done(ingress: str, run: str) -> int:
    """How many subtasks of a run have ended, as far as is known."""
    answer = httpx.get(f"{ingress}/FanOutProgress/{run}/get", timeout=LONG)
    return answer.json()["succeeded"] if answer.is_success else 0
