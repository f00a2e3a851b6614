"""`StandardWebhooks`: the signatures of standardwebhooks.com, which many APIs use."""

import base64
import binascii
import time
from collections.abc import Sequence
from datetime import timedelta

from parallelizework.errors import DefinitionError
from parallelizework.events.webhooks.request import WebhookRequest
from parallelizework.events.webhooks.signatures.secrets import Secrets
from parallelizework.events.webhooks.signatures.signed import (
    check_any,
    check_time,
    header_of,
    sha256,
)

_PREFIX, _VERSION = "whsec_", "v1,"


class StandardWebhooks:
    """Verifies the signatures of Standard Webhooks (standardwebhooks.com), version 1.

    The headers of a request are `webhook-id`, `webhook-timestamp` and
    `webhook-signature`. The signature is the HMAC-SHA256 of
    `ID.TIMESTAMP.BODY`, in base64. `webhook-id` is a good `id` of the event.

    Args:
        secret: The secret `whsec_...`, or several secrets: one of them has to match.
        variable: The environment variable with the secret, instead of `secret`.
            Several secrets are separated by spaces.
        tolerance: The largest difference between the time of the signature and the
            time of the worker. Default: five minutes.

    Raises:
        DefinitionError: Both or none of `secret` and `variable` are set; or a secret is
            empty, or is not base64.

    Examples:
        ```python
        Webhook("Shop", verify=StandardWebhooks(variable="SHOP_SECRET"), event=event)
        ```
    """

    def __init__(
        self,
        secret: str | Sequence[str] | None = None,
        *,
        variable: str | None = None,
        tolerance: timedelta = timedelta(minutes=5),
    ) -> None:
        self._secrets = Secrets("StandardWebhooks", secret, variable)
        self._tolerance = tolerance
        if variable is None:
            self._keys()

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
        keys = self._keys()
        id_ = header_of(request, "webhook-id")
        timestamp = header_of(request, "webhook-timestamp")
        signatures = header_of(request, "webhook-signature").split()
        check_time(timestamp, now, self._tolerance)
        signed = f"{id_}.{timestamp}.".encode() + request.body
        right = [base64.b64encode(sha256(key, signed)).decode() for key in keys]
        check_any(signatures, [f"{_VERSION}{each}" for each in right])

    def _keys(self) -> list[bytes]:
        values = self._secrets.values()
        return [_decoded(value.removeprefix(_PREFIX)) for value in values]


def _decoded(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret, validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise DefinitionError(
            "a secret of StandardWebhooks is not base64: use the secret as the sender "
            "shows it, such as whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
        )
    return key
