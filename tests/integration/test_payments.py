"""The example of payments: the provider answers now, later, twice, early or never."""

import base64
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from parallelizework.local.dev import local
from parallelizework.local.ports import Ports

from .conftest import HTTP, ROOT, Server
from .processes import LONG, eventually


@pytest.fixture(scope="module")
def variables() -> dict[str, str]:
    """The variables of the worker and of the provider."""
    secret = base64.b64encode(secrets.token_bytes(24)).decode()
    port = Ports(0, 0, 0).chosen().worker
    return {
        "PROVIDER_URL": f"http://127.0.0.1:{port}",
        "PROVIDER_SECRET": f"whsec_{secret}",
    }


@pytest.fixture(scope="module")
def worker(variables: dict[str, str]) -> Iterator[Server]:
    target = str(ROOT / "examples" / "payments.py")
    with local([target], ports=Ports(0, 0, 0), environment=variables) as started:
        yield Server(started.ingress, started.admin, worker=started.worker)


@pytest.fixture(scope="module")
def provider(
    worker: Server,
    variables: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path]:
    """The provider; the path of its log, which has a line for each webhook."""
    log = tmp_path_factory.mktemp("provider") / "log"
    webhook = {"WEBHOOK_URL": f"{worker.ingress}/Provider/receive"}
    with (
        log.open("wb") as file,
        subprocess.Popen(
            [sys.executable, str(ROOT / "examples" / "payment_provider.py")],
            env={**os.environ, **variables, **webhook},
            stdout=file,
            stderr=file,
        ) as process,
    ):
        try:
            eventually(lambda: "listens on" in log.read_text())
            yield log
        finally:
            process.terminate()


def order(id_: str, card: str) -> dict[str, Any]:
    return {"id": id_, "amount": 20, "card": card}


def test_a_payment_may_end_now_later_twice_or_before_its_answer(
    worker: Server, provider: Path
) -> None:
    cards = ["now", "later", "twice", "early"]

    summary = worker.run("Payments", [order(card, card) for card in cards]).json()

    assert summary["total"] == 80
    assert [receipt["order"] for receipt in summary["receipts"]] == cards
    assert summary["unpaid"] == {}
    payment = summary["receipts"][2]["payment"]
    eventually(lambda: provider.read_text().count(f"evt_{payment}: 200") == 2)


def test_a_payment_may_fail_or_never_end(worker: Server, provider: Path) -> None:
    orders = [order(card, card) for card in ("declined", "never", "now", "gold")]

    summary = worker.run("Payments", orders).json()

    assert [receipt["order"] for receipt in summary["receipts"]] == ["now"]
    assert summary["unpaid"] == {
        "declined": "the payment has failed",
        "never": "no answer came within 10 s",
        "gold": "send an Idempotency-Key, and a card of now, later, twice, early, "
        "declined, never",
    }
    assert ": 400" not in provider.read_text()


@pytest.mark.usefixtures("provider")
def test_the_provider_makes_one_payment_for_each_key(variables: dict[str, str]) -> None:
    url, headers = f"{variables['PROVIDER_URL']}/payments", {"Idempotency-Key": "a"}

    first = HTTP.post(url, json=order("A", "never"), headers=headers).json()
    again = HTTP.post(url, json=order("A", "never"), headers=headers).json()
    other = httpx.post(
        url, json=order("A", "never"), headers={"Idempotency-Key": "b"}, timeout=LONG
    ).json()

    assert first == again
    assert first["id"] != other["id"]


def test_a_forged_webhook_pays_nothing(worker: Server) -> None:
    forged = HTTP.post(f"{worker.ingress}/Provider/receive", json={"type": "payment."})

    assert forged.status_code == 400
