"""`GitHubSignature`: the signatures of GitHub's webhooks, which others use too."""

from collections.abc import Sequence

from parallelizework.events.webhooks.request import WebhookRequest
from parallelizework.events.webhooks.signatures.secrets import Secrets
from parallelizework.events.webhooks.signatures.signed import (
    check_any,
    header_of,
    sha256,
)


class GitHubSignature:
    """Verifies the signatures of GitHub's webhooks (docs.github.com/webhooks).

    The header of a request is `X-Hub-Signature-256: sha256=SIGNATURE`. The signature is
    the HMAC-SHA256 of the body, in hexadecimal. The signature has no time: somebody who
    has recorded a request can send it again. The header `X-GitHub-Delivery` is a good
    `id` of the event.

    Args:
        secret: The secret, or several secrets: one of them has to match.
        variable: The environment variable with the secret, instead of `secret`.
            Several secrets are separated by spaces.

    Raises:
        DefinitionError: Both or none of `secret` and `variable` are set; or a secret is
            empty.

    Examples:
        ```python
        verify = GitHubSignature(variable="GITHUB_SECRET")
        Webhook("GitHub", verify=verify, event=event)
        ```
    """

    def __init__(
        self,
        secret: str | Sequence[str] | None = None,
        *,
        variable: str | None = None,
    ) -> None:
        self._secrets = Secrets("GitHubSignature", secret, variable)

    def __call__(self, request: WebhookRequest) -> None:
        """Verify a request.

        Raises:
            ValueError: The signature is missing or wrong.
            SettingsError: The environment variable has no secret.
        """
        secrets = self._secrets.values()
        signature = header_of(request, "X-Hub-Signature-256")
        expected = [sha256(secret.encode(), request.body).hex() for secret in secrets]
        check_any([signature], [f"sha256={each}" for each in expected])
