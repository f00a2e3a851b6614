"""A fix for the order in which the streams of a connection send."""

from typing import Any

from hypercorn.protocol.h2 import H2Protocol
from priority.priority import DeadlockError, DuplicateStreamError, MissingStreamError


class SendRoundRobin(H2Protocol):
    """Let streams send in rotation: the tree of priorities is slow and limited.

    HTTP/2 no longer has priorities (RFC 9113, 5.3), and restate-server sends none. The
    tree used an eighth of a worker's CPU time, and it refuses the 1,001st stream.

    For hypercorn 0.18 with priority 2.0; `PriorityTree` in src/priority/priority.py of
    https://github.com/python-hyper/priority.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.priority: Any = RoundRobin()


class RoundRobin:
    """Selects the stream that sends next, in rotation.

    It has the methods of `PriorityTree` and raises the same errors.
    """

    def __init__(self) -> None:
        self._streams = set[int]()
        self._ready: dict[int, None] = {}  # the next one to send comes first

    def insert_stream(self, stream_id: int, **_priority: object) -> None:
        """Add a stream that may send."""
        if stream_id in self._streams:
            raise DuplicateStreamError(f"stream {stream_id} exists already")
        self._streams.add(stream_id)
        self._ready[stream_id] = None

    def reprioritize(self, stream_id: int, **_priority: object) -> None:
        """Ignore a priority."""
        self._check(stream_id)

    def remove_stream(self, stream_id: int) -> None:
        """Remove a stream that has ended."""
        self.block(stream_id)
        self._streams.remove(stream_id)

    def block(self, stream_id: int) -> None:
        """Skip a stream until it has something to send."""
        self._check(stream_id)
        self._ready.pop(stream_id, None)

    def unblock(self, stream_id: int) -> None:
        """Let a stream send again."""
        self._check(stream_id)
        self._ready.setdefault(stream_id)

    def __next__(self) -> int:
        """The stream that sends next."""
        stream_id = next(iter(self._ready), None)
        if stream_id is None:
            raise DeadlockError("no stream has anything to send")
        del self._ready[stream_id]
        self._ready[stream_id] = None
        return stream_id

    def _check(self, stream_id: int) -> None:
        if stream_id not in self._streams:
            raise MissingStreamError(f"there is no stream {stream_id}")
