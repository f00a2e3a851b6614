"""`Turns`: which stream of an HTTP/2 connection sends next."""

from priority.priority import DeadlockError, DuplicateStreamError, MissingStreamError


class Turns:
    """All streams that have something to send, one after another.

    It stands in for hypercorn's tree of priorities. HTTP/2 has given those up (RFC
    9113, 5.3), restate-server sends none, and the tree took an eighth of a worker's CPU
    time, and failed from 1,000 streams on.
    """

    def __init__(self) -> None:
        self._streams = set[int]()
        self._ready: dict[int, None] = {}  # in the order of their turns

    def insert_stream(self, stream_id: int, **_priority: object) -> None:
        """A new stream, which may send."""
        if stream_id in self._streams:
            raise DuplicateStreamError(f"stream {stream_id} is there already")
        self._streams.add(stream_id)
        self._ready[stream_id] = None

    def reprioritize(self, stream_id: int, **_priority: object) -> None:
        """Nothing comes of it."""
        self._check(stream_id)

    def remove_stream(self, stream_id: int) -> None:
        """A stream that has ended."""
        self.block(stream_id)
        self._streams.remove(stream_id)

    def block(self, stream_id: int) -> None:
        """A stream has nothing to send."""
        self._check(stream_id)
        self._ready.pop(stream_id, None)

    def unblock(self, stream_id: int) -> None:
        """A stream has something to send."""
        self._check(stream_id)
        self._ready.setdefault(stream_id)

    def __next__(self) -> int:
        """Whose turn it is."""
        stream_id = next(iter(self._ready), None)
        if stream_id is None:
            raise DeadlockError("no stream has anything to send")
        del self._ready[stream_id]
        self._ready[stream_id] = None
        return stream_id

    def _check(self, stream_id: int) -> None:
        if stream_id not in self._streams:
            raise MissingStreamError(f"there is no stream {stream_id}")
