"""Sends one request: limits per host, connections, redirects, retries, errors."""
