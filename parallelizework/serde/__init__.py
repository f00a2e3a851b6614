"""JSON for the types that users declare, and for our own messages."""
