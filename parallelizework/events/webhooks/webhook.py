"""`Webhook`: a Restate service that receives the webhooks of a third party."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from restate import Service
from restate.serde import BytesSerde

from parallelizework.definition.checks import checked_name
from parallelizework.definition.function import Function
from parallelizework.definition.threads import Threads
from parallelizework.definition.type_hints import accepts
from parallelizework.errors import DefinitionError
from parallelizework.events.webhooks.models import Reply, WebhookEvent
from parallelizework.events.webhooks.receiver import Receiver
from parallelizework.events.webhooks.request import WebhookRequest
from parallelizework.fan_out import services
from parallelizework.restate_sdk import RETRIED_WITHOUT_END
from parallelizework.served import RestateService, Servable

VerifyFunction = Callable[[WebhookRequest], Awaitable[None] | None]
_Read = WebhookEvent | Reply | None
EventFunction = Callable[[WebhookRequest], _Read | Awaitable[_Read]]

_MAX_THREADS = 64  # requests that sync functions handle at once, in one process
_PLAIN_TEXT = "text/plain; charset=utf-8"


class Webhook(Servable):
    """A Restate service that receives the webhooks of a third party.

    The third party sends its requests to `INGRESS/NAME/receive`, by POST or GET.
    `verify` is called first. If `verify` raises an error, the answer is 400. Then
    `event` reads the request. An event is delivered to the subtasks that wait for
    `Waiting(key="NAME/KEY")`, and the answer is 200.

    Both functions run in one durable step. Each function may be sync or async. A sync
    function runs in a thread. Each function may take 30 seconds. A request may have
    6 MiB.

    Args:
        name: The name of the service: letters, digits, `_`, `.` and `-`.
        verify: `(WebhookRequest) -> None`, raises `ValueError` to refuse a request.
            The sender receives the message of a `ValueError`. Ready-made:
            `StandardWebhooks`, `StripeSignature` and `GitHubSignature`. None accepts
            all requests: then anybody can send events.
        event: `(WebhookRequest) -> WebhookEvent | Reply | None`. None ignores the
            request, with the answer 200. If `event` raises `ValueError`, `LookupError`,
            `TypeError` or `AttributeError`, the answer is 400. After another error the
            answer is 500. A `restate.TerminalError` has its own status.
        content_type: The content type of each `Reply`. Default: plain text.

    Attributes:
        name: The name of the service.

    Raises:
        DefinitionError: Restate does not accept the name; or a function is not
            callable, lacks a type hint, or does not accept a `WebhookRequest`; or
            `verify` returns something.

    Examples:
        ```python
        def event(request: WebhookRequest) -> WebhookEvent | None:
            sent = request.json()
            if sent["type"] != "payment_intent.succeeded":
                return None
            payment = sent["data"]["object"]
            return WebhookEvent(key=payment["id"], id=sent["id"], data=payment)


        stripe = Webhook(
            "Stripe", verify=StripeSignature(variable="STRIPE_SECRET"), event=event
        )
        app = parallelizework.app(payments, stripe)
        ```
    """

    delivers_events = True  # so `services` adds `FanOutMailbox`

    def __init__(
        self,
        name: str,
        *,
        verify: VerifyFunction | None,
        event: EventFunction,
        content_type: str = _PLAIN_TEXT,
    ) -> None:
        self.name = checked_name(name)
        threads = Threads(_MAX_THREADS, name)
        self._content_type = content_type
        self._receiver = Receiver(
            name,
            None if verify is None else _verifier(verify, threads),
            _checked("event", event, threads),
        )

    def __repr__(self) -> str:
        return f"Webhook({self.name!r})"

    @property
    def service(self) -> Service:
        """The Restate service of the webhook alone."""
        service = Service(
            self.name,
            description=f"Webhook {self.name}",
            journal_retention=timedelta(0),  # bodies and signatures are not kept
            idempotency_retention=timedelta(0),
            invocation_retry_policy=RETRIED_WITHOUT_END,
        )
        service.handler(
            accept="*/*",
            content_type=self._content_type,
            input_serde=BytesSerde(),
            output_serde=BytesSerde(),
        )(self._receiver.receive)
        return service

    @property
    def services(self) -> list[RestateService]:
        """The Restate services of the webhook: its own, and those that it needs."""
        return services(self)


def _verifier(verify: VerifyFunction, threads: Threads) -> Function:
    """Return the user's `verify`, if it refuses requests by an error.

    Raises:
        DefinitionError: It does not accept a `WebhookRequest`, or returns something.
    """
    checked = _checked("verify", verify, threads)
    if checked.returns not in (None, type(None)):
        raise DefinitionError(
            f"{checked.name} must return None: raise ValueError to refuse a request"
        )
    return checked


def _checked(role: str, function: Callable[..., object], threads: Threads) -> Function:
    """Return one of the user's functions, if it accepts a `WebhookRequest`.

    Raises:
        DefinitionError: The function does not accept it.
    """
    checked = Function(role, function, threads)
    if checked.accepts_context or not accepts(checked.parameter, WebhookRequest):
        raise DefinitionError(
            f"{checked.name} must accept one value: a "
            "parallelizework.events.WebhookRequest"
        )
    return checked
