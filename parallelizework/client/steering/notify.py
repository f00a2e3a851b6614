"""Notify receivers when a run has ended, by `FanOutNotify`."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import uuid4

from pydantic_core import to_json

from parallelizework.client.server_api.http import Answer, Request, TimedOut
from parallelizework.client.server_messages import SERVICE_NOT_FOUND
from parallelizework.errors import Refused, Unreachable
from parallelizework.messages import NOTIFY, WHEN_DONE
from parallelizework.notifications.receivers import Receiver, urls_of

if TYPE_CHECKING:
    from parallelizework.client.server_api.server import Server

_CHECK = 5.0  # seconds; a worker that is running answers at once

Receivers = Receiver | Iterable[Receiver]


async def check(server: Server, receivers: Receivers) -> None:
    """Check that receivers can be notified, before a run starts.

    If no worker answers in time, nothing is checked: the run can start later.

    Raises:
        UnfitData: There are too many receivers.
        Refused: No worker serves `FanOutNotify`; or a receiver cannot be notified.
        Unreachable: No server answers.
    """
    if urls := urls_of(receivers):
        url = f"{server.ingress.url}/restate/call/{NOTIFY}/check"
        body = to_json({"to": urls})
        request = Request("POST", url, body=body, timeout=_CHECK, repeatable=True)
        try:
            _accepted(await server.http.ask(request))
        except TimedOut:
            return


async def notify(
    server: Server,
    run: str,
    receivers: Receivers,
    fan_out: str | None = None,
    *,
    is_repeated: bool = False,
) -> None:
    """Notify receivers when a run has ended.

    Args:
        server: The server.
        run: The id of the run.
        receivers: Who is notified.
        fan_out: The name of the fan-out, if it is known.
        is_repeated: Whether the same request may have been sent before. Then the same
            receivers are notified once.

    Raises:
        UnfitData: There are too many receivers.
        Refused: No worker serves `FanOutNotify`.
        Unreachable: No server answers.
    """
    if urls := urls_of(receivers):
        url = f"{server.ingress.url}/restate/send/{NOTIFY}/{WHEN_DONE}"
        body = to_json({"run": run, "fan_out": fan_out, "to": urls})
        key = sha256(body).hexdigest() if is_repeated else uuid4().hex
        headers = {"idempotency-key": key}  # so the request can be sent again
        request = Request("POST", url, headers=headers, body=body, repeatable=True)
        try:
            _accepted(await server.http.ask(request))
        except (Refused, Unreachable) as error:
            text = f"nobody will be notified of the end of {run}: {error}"
            raise type(error)(text) from error


def _accepted(answer: Answer) -> None:
    if answer.ok:
        return
    if SERVICE_NOT_FOUND.format(NOTIFY) in answer.message:
        raise Refused(
            f"no worker serves {NOTIFY}: add {NOTIFY} to the targets of "
            "`parallelizework serve`, or Notifications() to the arguments of "
            "parallelizework.app"
        )
    raise Refused(answer.message)
