"""`SubtaskNames`: the names that the user's `name_of` gives to subtasks."""

import logging
from typing import Any

from parallelizework.definition.function import Function
from parallelizework.headers import short_name
from parallelizework.serde.validated_json import Json

_logger = logging.getLogger(__name__)


class SubtaskNames:
    """Returns the name of a subtask, by the user's function `name_of`.

    A name is only for people. So an error of the function does not fail the run: the
    subtask has no name. The first error in a worker process is logged.

    Coordinators call the function again in each replay, and send the name with the
    call of the subtask. So the function must return the same name each time.

    Args:
        function: The user's function.
        subtask_json: JSON of a subtask.
    """

    def __init__(self, function: Function, subtask_json: Json[Any]) -> None:
        self._function = function
        self._subtask_json = subtask_json
        self._has_warned = False

    def __call__(self, subtask: Any) -> str | None:
        """Return the name of a subtask, which is plain JSON; None for no name."""
        try:
            typed = self._subtask_json.typed(subtask)
            name = self._function.call_sync(typed)
            if not isinstance(name, str):
                raise TypeError(f"the name is a {type(name).__name__}, not a str")  # noqa: TRY301 - logged like any other error
            return short_name(name)
        except Exception as error:
            self._warn(error)
            return None

    def _warn(self, error: Exception) -> None:
        if not self._has_warned:
            self._has_warned = True
            _logger.warning(
                "no name for a subtask: %s raised %r. Later errors are not logged",
                self._function.name,
                error,
            )
