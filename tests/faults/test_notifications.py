"""Workers and server are killed at the ends of runs: all receivers are notified."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import JsonValue

from parallelizework.client import Client
from parallelizework.errors import RunFailed
from parallelizework.notifications import Email, WebhookUrl
from tests.faults.site import Site, site
from tests.faults.test_redrives import (
    kill_everything,
    kill_the_server,
    kill_the_workers,
)
from tests.integration.fan_outs.ledger import repair
from tests.integration.processes import eventually
from tests.integration.receivers.mail import MailServer, mail_server
from tests.integration.receivers.webhook import (
    LOST,
    RESET,
    SECRET,
    WebhookServer,
    webhook_server,
)

pytestmark = pytest.mark.timeout(300)
MODULE = "tests.integration.receivers.fan_outs"
ENDS = ["succeeded", "failed", "cancelled"] * 3


def environment(mails: MailServer) -> dict[str, str]:
    return {
        "PARALLELIZEWORK_NOTIFY_ALLOWED_HOSTS": "127.0.0.1",
        "PARALLELIZEWORK_NOTIFY_SECRETS": SECRET,
        "PARALLELIZEWORK_SMTP_URL": f"smtp+plain://127.0.0.1:{mails.port}",
        "PARALLELIZEWORK_SMTP_SENDER": "runs@example.com",
    }


def start(client: Client, webhooks: WebhookServer, mails: MailServer) -> dict[str, str]:
    """Start a run for each end, with receivers that misbehave; end them as planned.

    Returns:
        The end of each run, by its id.
    """
    runs: dict[str, str] = {}
    key = uuid4().hex
    for number, end in enumerate(ENDS):
        path, address = f"/{number}", f"{number}@example.com"
        webhooks.script[path] = [503, RESET, LOST]
        mails.script[address] = ["451 try again", RESET, LOST]
        receivers = [WebhookUrl(webhooks.url + path), Email(address)]
        numbers = [-1] if end == "failed" else [number]
        task: JsonValue = {"key": key, "numbers": [*numbers]}
        run = client.submit("Notified", task, notify=receivers)
        runs[run.id] = end
    for id, end in runs.items():
        if end == "cancelled":
            client.attach("Notified", id).cancel()
            with pytest.raises(RunFailed, match="cancelled"):
                client.attach("Notified", id).result(60)
    repair(key)
    return runs


@pytest.mark.parametrize("kill", [kill_the_workers, kill_the_server, kill_everything])
def test_each_receiver_is_notified_although_everything_is_killed(
    tmp_path: Path, kill: Callable[[Site], None]
) -> None:
    with (
        webhook_server() as webhooks,
        mail_server() as mails,
        site(tmp_path, [MODULE], environment=environment(mails)) as system,
        Client(system.ingress, system.admin) as client,
    ):
        runs = start(client, webhooks, mails)
        paths = [f"/{number}" for number in range(len(ENDS))]
        addresses = [f"{number}@example.com" for number in range(len(ENDS))]
        for least in (2, 6):
            eventually(lambda: sum(map(len, webhooks.received.values())) >= least)  # noqa: B023 - called at once
            kill(system)

        eventually(lambda: all(len(webhooks.accepted[path]) >= 2 for path in paths))
        eventually(lambda: all(len(mails.accepted[each]) >= 2 for each in addresses))

    for path, address, (run, end) in zip(paths, addresses, runs.items(), strict=True):
        notified = [each.body["data"] for each in webhooks.received[path]]
        assert {(each["run"], each["state"]) for each in notified} == {(run, end)}
        assert len(webhooks.ids(path)) == 1
        assert len(mails.ids(address)) == 1
        [subject] = {mail["Subject"] for mail in mails.received[address]}
        assert run in subject
        assert end in subject
