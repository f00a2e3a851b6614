"""`Webhook`: a service that receives the webhooks of a third party."""
