"""Events from outside: webhooks, joins and promises."""

from parallelizework.errors import extras_named

with extras_named():
    from parallelizework.events.joins.join import Join
    from parallelizework.events.joins.models import JoinReason
    from parallelizework.events.promises.promises import Promises
    from parallelizework.events.webhooks.models import Reply, WebhookEvent
    from parallelizework.events.webhooks.request import WebhookRequest
    from parallelizework.events.webhooks.signatures.github import GitHubSignature
    from parallelizework.events.webhooks.signatures.standard_webhooks import (
        StandardWebhooks,
    )
    from parallelizework.events.webhooks.signatures.stripe import StripeSignature
    from parallelizework.events.webhooks.webhook import Webhook

__all__ = [
    "GitHubSignature",
    "Join",
    "JoinReason",
    "Promises",
    "Reply",
    "StandardWebhooks",
    "StripeSignature",
    "Webhook",
    "WebhookEvent",
    "WebhookRequest",
]
