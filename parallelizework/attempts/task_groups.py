"""`fix_task_groups`: a correction of `asyncio.TaskGroup` for Python 3.11 and 3.12.

If a child fails while the group waits for its children, the group cancels its own task,
to wake it up. These versions do not take this cancellation back (fixed in Python 3.13:
https://github.com/python/cpython/issues/116720). So the task looks as if somebody had
cancelled it: a subtask would be cancelled instead of failed, and no `asyncio.timeout`
around it would work.
"""

import sys
from asyncio import TaskGroup
from functools import cache
from typing import Any


@cache
def fix_task_groups() -> None:
    """Correct `asyncio.TaskGroup` in this process, if its Python needs it."""
    if sys.version_info >= (3, 13):
        return
    original = TaskGroup.__aexit__

    async def fixed(self: Any, *error: Any) -> None:
        # The original takes back a cancellation that was requested before its begin.
        was_requested = self._parent_cancel_requested
        try:
            await original(self, *error)
        finally:
            if self._parent_cancel_requested and not was_requested:
                self._parent_task.uncancel()

    setattr(TaskGroup, "__aexit__", fixed)  # noqa: B010 - its signature is wider
