"""The example that returns a URL in time, or sends it by email."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from parallelizework.local.dev import Local, local
from parallelizework.local.ports import Ports

from .conftest import ROOT, Server
from .processes import eventually
from .receivers.mail import MailServer, mail_server
from .test_cli import addresses
from .test_notifications import text

EXAMPLE = f"{ROOT}/examples/data_preparation.py"
URL = "http://store.example/sales-2026.csv"


@pytest.fixture(scope="module")
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def system(mails: MailServer, folder: Path) -> Iterator[Local]:
    environment = {
        "STORE": str(folder),
        "STORE_URL": "http://store.example",
        "PARALLELIZEWORK_SMTP_URL": f"smtp+plain://127.0.0.1:{mails.port}",
        "PARALLELIZEWORK_SMTP_SENDER": "runs@example.com",
    }
    targets = [EXAMPLE, "FanOutNotify"]
    with local(targets, ports=Ports(0, 0, 0), environment=environment) as started:
        yield started


def prepare(system: Local, *options: str) -> str:
    where = addresses(Server(system.ingress, system.admin))
    command = [sys.executable, EXAMPLE, "me@example.com", *options]
    environment = {**os.environ, **where}
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout.rstrip()


def test_the_url_is_returned_in_time(
    system: Local, folder: Path, mails: MailServer
) -> None:
    assert prepare(system, "--wait", "60") == URL
    rows = folder.joinpath("sales-2026.csv").read_text().splitlines()
    assert rows[:2] == ["month,sales", "2026-01,100"]
    assert len(rows) == 13
    assert not mails.received


def test_the_url_is_sent_by_email_if_the_file_is_late(
    system: Local, mails: MailServer
) -> None:
    answer = prepare(system, "--wait", "0.2", "--seconds-per-month", "1")

    assert answer.startswith("me@example.com will be notified about inv_")
    eventually(lambda: bool(mails.accepted["me@example.com"]))
    [mail] = mails.accepted["me@example.com"]
    assert mail["Subject"].startswith("DataPreparation succeeded (inv_")
    assert URL in text(mail)
    assert "subtasks: 12 succeeded of 12" in text(mail)
