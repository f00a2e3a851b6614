"""`RecordFilter`: adds the invocation to records, and drops records of a replay.

Restate executes handler code again after each suspension, from its start. The user's
own lines of the first execution would appear again in each of these replays.
"""

import logging

from restate.server_context import restate_context_is_replaying

from parallelizework.restate_sdk import current_request

# Records of these loggers are about the replay itself, or about another task of the
# event loop.
# Our own modules use the logger of the SDK where a replay could repeat a line.
_NEVER_DROPPED = frozenset(
    {"asyncio", "hypercorn", "parallelizework", "py.warnings", "restate"}
)


class RecordFilter(logging.Filter):
    """Adds the invocation id to each record; drops what a replay logs again."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the id, `-` outside a handler; return whether the record is new."""
        request = current_request()
        record.restate_invocation = request.id if request else "-"
        return not (
            restate_context_is_replaying.get()
            and record.name not in _NEVER_DROPPED
            and record.name.partition(".")[0] not in _NEVER_DROPPED
        )
