"""The hosts that may be sent requests, and connections to checked addresses only."""
