"""`StripeSignature`: the signatures of Stripe's webhooks."""

import time
from collections.abc import Sequence
from datetime import timedelta

from parallelizework.events.webhooks.request import WebhookRequest
from parallelizework.events.webhooks.signatures.secrets import Secrets
from parallelizework.events.webhooks.signatures.signed import (
    check_any,
    check_time,
    header_of,
    sha256,
)


class StripeSignature:
    """Verifies the signatures of Stripe's webhooks (docs.stripe.com/webhooks).

    The header of a request is `Stripe-Signature: t=TIMESTAMP,v1=SIGNATURE`. The
    signature is the HMAC-SHA256 of `TIMESTAMP.BODY`, in hexadecimal. The `id` in the
    body is a good `id` of the event.

    Args:
        secret: The secret `whsec_...`, or several secrets: one of them has to match.
        variable: The environment variable with the secret, instead of `secret`.
            Several secrets are separated by spaces.
        tolerance: The largest difference between the time of the signature and the
            time of the worker. Default: five minutes.

    Raises:
        DefinitionError: Both or none of `secret` and `variable` are set; or a secret is
            empty.

    Examples:
        ```python
        verify = StripeSignature(variable="STRIPE_SECRET")
        Webhook("Stripe", verify=verify, event=event)
        ```
    """

    def __init__(
        self,
        secret: str | Sequence[str] | None = None,
        *,
        variable: str | None = None,
        tolerance: timedelta = timedelta(minutes=5),
    ) -> None:
        self._secrets = Secrets("StripeSignature", secret, variable)
        self._tolerance = tolerance

    def __call__(self, request: WebhookRequest) -> None:
        """Verify a request.

        Raises:
            ValueError: The signature is missing, wrong or too old.
            SettingsError: The environment variable has no secret.
        """
        self.check(request, time.time())

    def check(self, request: WebhookRequest, now: float) -> None:
        """Verify a request at a time, in seconds since 1970.

        Raises:
            ValueError: The signature is missing, wrong or too old.
            SettingsError: The environment variable has no secret.
        """
        secrets = self._secrets.values()
        header = header_of(request, "Stripe-Signature")
        fields = [part.strip().partition("=") for part in header.split(",")]
        timestamp = next((value for name, _, value in fields if name == "t"), "")
        check_time(timestamp, now, self._tolerance)
        signed = f"{timestamp}.".encode() + request.body
        check_any(
            [value for name, _, value in fields if name == "v1"],
            [sha256(secret.encode(), signed).hex() for secret in secrets],
        )
