"""`Notifications`: the Restate service `FanOutNotify`.

`whenDone` waits for the end of a run. Then it calls `deliver` for each receiver, so
each receiver has attempts of its own. The id of a message comes from the id of the
invocation of `whenDone`: so all attempts have the same id, also after a crash.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from restate import Context, RestateDurableFuture, RunOptions, Service, TerminalError
from restate.serde import BytesSerde, JsonSerde

from parallelizework.errors import SettingsError
from parallelizework.messages import NOTIFY, WHEN_DONE
from parallelizework.notifications.delivery import attempted
from parallelizework.notifications.emails import EmailSender
from parallelizework.notifications.models import (
    Delivery,
    Notification,
    ReceiversToCheck,
    WhenDone,
)
from parallelizework.notifications.receivers import Email, receiver_of
from parallelizework.notifications.run_end import ended
from parallelizework.notifications.webhooks import WebhookSender
from parallelizework.policy import Policy
from parallelizework.restate_sdk import RETRIED_WITHOUT_END
from parallelizework.serde.message import Message
from parallelizework.serde.validated_json import Json
from parallelizework.settings import NotifySettings

_DELIVER = "deliver"
_BAD_REQUEST, _BAD_GATEWAY = 400, 502
# The service waits for runs: so it releases its invoker slot soon.
_INACTIVITY = timedelta(seconds=1)
# An attempt at an email may take two minutes, and must not be aborted before.
_ABORT = timedelta(minutes=5)

_when_done_json = Json[WhenDone](WhenDone, "the request of whenDone", status=400)
_check_json = Json[ReceiversToCheck](ReceiversToCheck, "the request", status=400)
_delivery_json = Message[Delivery](Delivery, "a delivery")

# About a day: twelve pauses from a second to an hour, then an hour each.
ATTEMPTS = Policy(
    max_attempts=40,
    initial_retry_interval=timedelta(seconds=1),
    max_retry_interval=timedelta(hours=1),
)


class Notifications(Service):
    """The Restate service `FanOutNotify`, which notifies receivers of the end of a run.

    A worker serves it, beside fan-outs or alone. A worker of a `FanOut` with `notify`
    serves it anyway.

    Args:
        settings: The allowed hosts, the secrets and the SMTP server. By default, they
            are read from the environment.
        policy: `max_attempts` and the pauses between attempts, for each receiver. By
            default, attempts are made for about a day.

    Raises:
        SettingsError: A setting is invalid.

    Examples:
        ```python
        app = parallelizework.app(thumbnails, Notifications())
        ```
    """

    def __init__(
        self, settings: NotifySettings | None = None, policy: Policy = ATTEMPTS
    ) -> None:
        super().__init__(
            NOTIFY,
            description="Notifies receivers of the ends of runs",
            inactivity_timeout=_INACTIVITY,
            abort_timeout=_ABORT,
            invocation_retry_policy=RETRIED_WITHOUT_END,
        )
        settings = settings or NotifySettings()
        self._webhooks, self._emails = WebhookSender(settings), EmailSender(settings)
        self._policy = policy
        raw: dict[str, Any] = {"input_serde": BytesSerde()}
        raw |= {"output_serde": BytesSerde()}
        self.handler(WHEN_DONE, **raw)(self._when_done())
        self.handler("check", **raw)(self._check())
        self.handler(_DELIVER, ingress_private=True, **raw)(self._deliver())

    @classmethod
    def able_to_notify(cls, urls: Sequence[str]) -> "Notifications":
        """Return the service with the settings of the environment.

        Args:
            urls: The URLs of receivers.

        Raises:
            SettingsError: A setting is invalid; or a setting is missing, so that a
                receiver cannot be notified.
        """
        made = cls()
        if problems := made._problems(urls):
            raise SettingsError("; ".join(problems))
        return made

    def _when_done(self) -> Any:
        async def when_done(ctx: Context, body: bytes) -> bytes:
            """Notify receivers when a run has ended. Send this; do not call it."""
            request = _when_done_json.accept(body)
            await self._checked(ctx, request.to)
            end = await ended(ctx, request.run, request.fan_out)
            notification = Notification(
                type=f"run.{end.state}",
                timestamp=datetime.fromtimestamp(await ctx.time(), UTC),
                data=end,
            )
            await _notified(ctx, request.to, notification)
            return b""

        return when_done

    def _check(self) -> Any:
        async def check(ctx: Context, body: bytes) -> bytes:
            """Check that receivers can be notified: 400 if one of them cannot."""
            await self._checked(ctx, _check_json.accept(body).to)
            return b""

        return check

    def _deliver(self) -> Any:
        async def deliver(ctx: Context, body: bytes) -> bytes:
            """Notify one receiver."""
            delivery = _delivery_json.deserialize(body)
            about = f"service={NOTIFY} message={delivery.id} to={delivery.to}"
            await attempted(ctx, about, self._policy, lambda: self._notify(delivery))
            return b""

        return deliver

    async def _checked(self, ctx: Context, urls: Sequence[str]) -> None:
        """Check receivers, as a durable step: settings may change before a replay."""

        async def problems() -> list[str]:
            return self._problems(urls)

        options = RunOptions[list[str]](serde=JsonSerde())
        if found := await ctx.run_typed("check", problems, options):
            raise TerminalError("; ".join(found), _BAD_REQUEST)

    def _problems(self, urls: Sequence[str]) -> list[str]:
        """Why some receivers cannot be notified."""
        found = [
            self._emails.problem(each)
            if isinstance(each, Email)
            else self._webhooks.problem(each)
            for each in map(receiver_of, urls)
        ]
        return [problem for problem in found if problem]

    async def _notify(self, delivery: Delivery) -> None:
        receiver, notification = receiver_of(delivery.to), delivery.notification
        if isinstance(receiver, Email):
            await self._emails.send(receiver, delivery.id, notification)
        else:
            body = notification.model_dump_json()
            await self._webhooks.send(receiver, delivery.id, body)


async def _notified(
    ctx: Context, urls: Sequence[str], notification: Notification
) -> None:
    """Notify all receivers.

    Raises:
        TerminalError: Some receivers could not be notified. All others were notified.
    """
    about = ctx.request().id.removeprefix("inv_")
    deliveries = [
        Delivery(id=f"msg_{about}_{number}", to=url, notification=notification)
        for number, url in enumerate(urls)
    ]
    calls = [
        ctx.generic_call(NOTIFY, _DELIVER, _delivery_json.serialize(each))
        for each in deliveries
    ]
    errors = [error for call in calls if (error := await _error(call))]
    if errors:
        raise TerminalError(
            f"{len(errors)} of {len(urls)} receivers were not notified: "
            + "; ".join(errors),
            _BAD_GATEWAY,
        )


async def _error(call: RestateDurableFuture[bytes]) -> str | None:
    try:
        await call
    except TerminalError as error:
        return error.message
    return None
