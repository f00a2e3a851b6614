"""Events from outside that belong to subtasks: webhooks."""

from parallelizework.errors import extras_named

with extras_named():
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
    "Reply",
    "StandardWebhooks",
    "StripeSignature",
    "Webhook",
    "WebhookEvent",
    "WebhookRequest",
]
