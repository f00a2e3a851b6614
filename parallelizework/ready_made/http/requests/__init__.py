"""Requests, templates that become requests, and the secrets in their headers."""
