"""What a request is, how a row becomes a request, and the secrets in its headers."""
