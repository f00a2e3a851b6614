"""`message_limit`: how large a message may be, and what carries it."""

from dataclasses import dataclass

_MIB = 1024 * 1024


@dataclass
class MessageLimit:
    """The limit for messages in this process.

    Attributes:
        size: The largest size of a message, in bytes.
        carrier: What carries a message, for errors.
    """

    size: int
    carrier: str


# A restate-server (1.7) has 32 MiB for one message, with the frame around it.
message_limit = MessageLimit(32 * _MIB - 64 * 1024, "one message of Restate")
"""The limit for messages in this process."""


def limit_messages(size: int, carrier: str) -> None:
    """Lower the limit for messages in this process.

    Args:
        size: The largest size of a message, in bytes.
        carrier: What carries a message, for errors.
    """
    message_limit.size, message_limit.carrier = size, carrier
