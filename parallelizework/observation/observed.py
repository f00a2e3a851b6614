"""`ObservedAttempt` and `ObservedBatch`: what observers see. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Literal

from parallelizework.headers import SubtaskId
from parallelizework.outcomes import Status

AttemptStatus = Status | Literal["succeeded", "postponed", "suspended"]
_OF_RUN = ("split", "aggregate")  # executed by the invocation of the run itself
SubtaskStatus = Status | Literal["succeeded", "waiting"]


@dataclass(slots=True, kw_only=True, eq=False)
class ObservedAttempt:
    """One attempt at one of the user's functions.

    As a text, it is the first fields of a log line:
    `service=Album execute=resize run=inv_1 index=17 attempt=1`.

    Attributes:
        service: The name of the service.
        role: The name of the function in `FanOut`, such as `execute` or `split`.
        function: The name of the function itself.
        number: The number of the attempt; 1 for the first one.
        subtask_id: Returns the subtask; None if the attempt belongs to no subtask.
        invocation: The id of the invocation.
        is_in_batch: Whether the attempt belongs to a batch.
        is_handler_code: Whether the function accepts a `restate.Context`. Such a
            function is executed again after each suspension: `status` is `suspended`.
        is_sync: Whether the function executes in a thread.
        began: When the attempt began, by `time.monotonic`.
        status: How the attempt ended. `cancelled` until it ends.
        error: The message of the error; None if there was none.
    """

    service: str
    role: str
    function: str
    number: int
    subtask_id: Callable[[], SubtaskId | None]
    invocation: str
    is_in_batch: bool = False
    is_handler_code: bool = False
    is_sync: bool = False
    began: float = field(default_factory=monotonic)
    status: AttemptStatus = "cancelled"
    error: str | None = None

    @property
    def run(self) -> str | None:
        """The id and the labels of the run; None if the attempt does not know it."""
        if subtask := self.subtask_id():
            return subtask.run
        return self.invocation if self.role in _OF_RUN else None

    @property
    def seconds(self) -> float:
        """The time since the attempt began, in seconds."""
        return monotonic() - self.began

    def __str__(self) -> str:
        subtask = self.subtask_id() or f"invocation={self.invocation}"
        function = f"{self.role}={self.function}"
        return f"service={self.service} {function} {subtask} attempt={self.number}"


@dataclass(slots=True, kw_only=True, eq=False, frozen=True)
class ObservedBatch:
    """One execution of a batch.

    Attributes:
        service: The name of the service.
        run: The id and the labels of the run.
        subtasks: The number of subtasks in the batch.
        slots: How many of them may execute at once.
    """

    service: str
    run: str
    subtasks: int
    slots: int
