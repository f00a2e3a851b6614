"""How many frames go into one write."""

from typing import Any

from h2.connection import ConnectionState
from hypercorn.protocol.h2 import H2Protocol


class JoinWrites(H2Protocol):
    """Write all frames that are ready at once together; each costs a write of its own.

    `H2Protocol._flush` writes after each frame. Many small answers are ready in the
    same turn of the event loop, and a write costs more than what it writes.

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
