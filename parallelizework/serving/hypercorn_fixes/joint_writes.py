"""A fix for the number of writes: several frames share one write."""

from typing import Any

from h2.connection import ConnectionState
from hypercorn.protocol.h2 import H2Protocol


class JoinWrites(H2Protocol):
    """Write all frames that are ready at the same time by one write.

    `H2Protocol._flush` writes each frame separately. Often, many small answers are
    ready in the same turn of the event loop, and a write costs more than its data.

    For hypercorn 0.18; src/hypercorn/protocol/h2.py of
    https://github.com/pgjones/hypercorn.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_flushing = False

    async def _flush(self) -> None:
        if self.connection.state_machine.state is ConnectionState.CLOSED:
            await super()._flush()
        elif not self._is_flushing:
            self._is_flushing = True
            self.task_group.spawn(self._flush_all)  # pyright: ignore[reportUnknownMemberType] - half typed

    async def _flush_all(self) -> None:
        self._is_flushing = False
        await super()._flush()
