"""Ready-made verifiers of signatures, for the `verify` of a `Webhook`."""
