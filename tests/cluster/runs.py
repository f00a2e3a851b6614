"""Runs of the fan-out of the cluster, submitted to any of its ingresses."""

from pathlib import Path

import httpx

from tests.integration.processes import LONG


def ask(ingress: str, key: str, count: int) -> httpx.Response:
    """Return the result of a run. The key returns the same run on each ingress."""
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
    """Return the number of subtasks that are reported as ended."""
    answer = httpx.get(f"{ingress}/FanOutProgress/{run}/get", timeout=LONG)
    return answer.json()["succeeded"] if answer.is_success else 0
