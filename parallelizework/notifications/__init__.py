"""`FanOutNotify`: notifies receivers of the end of a run, by webhook or by email.

receivers.py   WebhookUrl and Email: who is notified
models.py      the request, and the message about the end of a run
run_id.py      which texts are ids of runs
run_end.py     waiting for the end of a run
delivery.py    the attempts to notify one receiver
webhooks.py    sending the message as a signed webhook
emails.py      sending the message as an email
smtp_server.py the server for emails, and TLS
service.py     Notifications: the Restate service
"""

from typing import TYPE_CHECKING

from parallelizework.errors import extras_named
from parallelizework.notifications.models import Notification
from parallelizework.notifications.receivers import Email, Receiver, WebhookUrl

if TYPE_CHECKING:
    from parallelizework.notifications.service import Notifications

    notifications: Notifications
    """The service `FanOutNotify`, with the settings of the environment."""

__all__ = [
    "Email",
    "Notification",
    "Notifications",
    "Receiver",
    "WebhookUrl",
    "notifications",
]

if not TYPE_CHECKING:  # with `__getattr__`, type checkers would accept any name

    def __getattr__(name: str) -> object:
        """Import what needs restate at its first use: a client does not need it."""
        if name not in ("Notifications", "notifications"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        with extras_named():
            from parallelizework.notifications.service import (  # noqa: PLC0415 - see above
                Notifications,
            )
        globals()["Notifications"] = Notifications
        if name == "notifications":
            globals()[name] = Notifications()
        return globals()[name]
