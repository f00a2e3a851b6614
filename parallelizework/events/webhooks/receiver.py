"""`Receiver`: the handler `receive` of a webhook."""

import logging
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json
from restate import Context, RunOptions, TerminalError

from parallelizework.definition.function import Function
from parallelizework.events.webhooks.models import Decision, Reply, WebhookEvent
from parallelizework.events.webhooks.refusals import Refusal, of_event, of_verify
from parallelizework.events.webhooks.request import WebhookRequest
from parallelizework.serde.message import Message
from parallelizework.serde.validated_json import Json
from parallelizework.waiting.mailbox import delivery_json
from parallelizework.waiting.models import MAILBOX, Delivery

_logger = logging.getLogger(__name__)

# The ingress sets this header, and it has the query. A sender may set the header too,
# which is harmless: a sender also chooses the query.
_PATH = "x-restate-ingress-path"
_SECONDS = 30.0  # for `verify` or `event`: no sender waits longer for an answer
# The journal has the body, and the event twice: once in base64. A restate-server (1.7)
# has 32 MiB of memory for one invocation.
_MAX_BYTES = 6 * 1024 * 1024
_TOO_LARGE = 413

decision_json = Message[Decision](Decision, "a decision about a webhook")
_OPTIONS = RunOptions[Decision](serde=decision_json)


class Receiver:
    """The handler `receive` of a webhook.

    Args:
        name: The name of the webhook.
        verify: The user's `verify`; None if all requests are accepted.
        event: The user's `event`.
    """

    def __init__(self, name: str, verify: Function | None, event: Function) -> None:
        self._name = name
        self._verify = verify
        self._event = event
        self._data_json = Json[Any](Any, f"the data of an event of {name}")

    async def receive(self, ctx: Context, body: bytes) -> bytes:
        """Verify a request of the third party, and deliver its event."""
        self._check_size("the request", body)
        headers = ctx.request().headers

        async def decide() -> Decision:
            return await self._decision(headers, body)

        # A step: a replay an hour later must not refuse the request as too old.
        decision = await ctx.run_typed("verify", decide, _OPTIONS)
        if decision.refusal:
            status, message = decision.refusal
            raise TerminalError(message, status)
        if decision.delivery:
            key, delivery = decision.delivery
            ctx.generic_send(MAILBOX, "deliver", delivery, key=f"{self._name}/{key}")
        return decision.reply or b""

    async def _decision(self, headers: Mapping[str, str], body: bytes) -> Decision:
        query = headers.get(_PATH, "").partition("?")[2]
        request = WebhookRequest(body, headers, query)
        if refusal := await self._refused(request):
            return Decision(refusal=self._logged(refusal))
        try:
            return self._decided(await self._event(request, seconds=_SECONDS))
        except Exception as error:
            return Decision(refusal=self._logged(of_event(error, self._event.name)))

    async def _refused(self, request: WebhookRequest) -> Refusal | None:
        if not self._verify:
            return None
        try:
            if await self._verify(request, seconds=_SECONDS) is False:
                raise ValueError("the request is not valid")  # noqa: TRY301 - refused like any other
        except Exception as error:
            return of_verify(error, self._verify.name)
        return None

    def _decided(self, read: object) -> Decision:
        """Return what to do with what the user's `event` has returned."""
        match read:
            case None:
                return Decision()
            case Reply():
                return Decision(reply=self._check_size("the reply", read.content))
            case WebhookEvent():
                return Decision(delivery=(read.key, self._delivery(read)))
            case _:
                raise RuntimeError(
                    f"{self._event.name} returned a {type(read).__name__}: return a "
                    "WebhookEvent, a Reply or None"
                )

    def _delivery(self, event: WebhookEvent) -> bytes:
        plain = from_json(self._data_json.serialize(event.data))
        delivery = delivery_json.serialize(Delivery(id=event.id, data=plain))
        return self._check_size("the event", delivery)

    def _check_size(self, what: str, content: bytes) -> bytes:
        if len(content) > _MAX_BYTES:
            raise TerminalError(
                f"{what} of {self._name} is larger than {_MAX_BYTES >> 20} MiB",
                _TOO_LARGE,
            )
        return content

    def _logged(self, refusal: Refusal) -> tuple[int, str]:
        """Log why a request is refused; return what the sender receives."""
        _logger.log(
            refusal.level,
            "webhook refused: %s status=%d: %s",
            self._name,
            refusal.status,
            refusal.cause,
            exc_info=refusal.cause if refusal.is_traced else None,
        )
        return refusal.status, refusal.message
