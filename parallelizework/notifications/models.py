"""The messages of `FanOutNotify`: the request, and the notification. Pure."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from parallelizework.notifications.receivers import checked
from parallelizework.notifications.run_id import is_run_id
from parallelizework.outcomes import Counts

State = Literal["succeeded", "failed", "cancelled", "killed"]

LARGEST_RESULT = 8 * 1024  # bytes as JSON; receivers read a larger result by its id
_LONGEST_NAME = 255  # characters of the name of a service


def _checked_id(run: str) -> str:
    if not is_run_id(run):
        raise ValueError("is not the id of a run: pass the id that `send` has returned")
    return run


Receivers = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(checked)]


class ReceiversToCheck(BaseModel):
    """The request of `check`.

    Attributes:
        to: The URLs of receivers: https, http or mailto.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Receivers


class WhenDone(ReceiversToCheck):
    """The request of `whenDone`: notify receivers when a run has ended.

    Attributes:
        to: The URLs of receivers: https, http or mailto.
        run: The id of the run.
        fan_out: The name of the fan-out, for a run of which `FanOutProgress` knows
            nothing. Default: unknown.
    """

    run: Annotated[str, AfterValidator(_checked_id)]
    fan_out: str | None = Field(
        default=None, pattern=r"^[a-zA-Z0-9_.-]+$", max_length=_LONGEST_NAME
    )


class RunEnd(BaseModel):
    """How a run ended.

    Attributes:
        run: The id of the run.
        fan_out: The name of the fan-out; None if it is unknown.
        state: `succeeded`, `failed`, `cancelled` or `killed`.
        total: The number of subtasks; None if it is unknown.
        counts: How many subtasks have ended, by outcome; None if it is unknown. A run
            that succeeds within half a second does not report its counts, unless its
            fan-out has `notify`, or the run has labels.
        reason: The completion reason; None if no rule ended the run, or if it is
            unknown.
        error: Why the run has no result; None if it has succeeded.
        status: The HTTP status of the error; None if the run has succeeded.
        labels: The labels of the run.
        has_result: Whether `result` is the result. False if the result is larger than
            8 KiB, or if there is none. `GET /restate/output/RUN` returns the result.
        result: The result.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    run: str
    fan_out: str | None = None
    state: State
    total: int | None = None
    counts: Counts | None = None
    reason: str | None = None
    error: str | None = None
    status: int | None = None
    labels: dict[str, str] = {}
    has_result: bool = False
    result: JsonValue = None


class Notification(BaseModel):
    """The message to receivers: the body of a webhook.

    Attributes:
        type: `run.` and the state, such as `run.succeeded`.
        timestamp: When the end of the run was noticed.
        data: How the run ended.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    type: str
    timestamp: datetime
    data: RunEnd


class Delivery(BaseModel):
    """The request of `deliver`: notify one receiver.

    Attributes:
        id: The id of the message, the same in all attempts.
        to: The URL of the receiver.
        notification: The message.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    id: str
    to: str
    notification: Notification
