"""Which hosts may be sent requests, and connecting to their checked addresses."""
