"""JSON for the types that users declare, and for our own messages."""

from parallelizework.serde.json_serde import MAX_MESSAGE, Json
from parallelizework.serde.message import JsonList, Message, list_of

__all__ = ["MAX_MESSAGE", "Json", "JsonList", "Message", "list_of"]
