"""The messages that a promise receives, stores and answers. Pure."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

REJECTED = 422

_CONFIG = ConfigDict(frozen=True, ser_json_inf_nan="constants")


class Rejection(BaseModel):
    """The body of `reject`: why there is no value.

    Attributes:
        message: The message of the error that waiters receive.
        code: The status of this error, 400 to 599.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    message: str
    code: int = Field(default=REJECTED, ge=400, le=599)


class Settled(BaseModel):
    """How a promise was settled.

    Attributes:
        status: Whether it was resolved or rejected.
        value: The value, if it was resolved.
        rejection: The error, if it was rejected.
        id: The id of the invocation that has settled the promise.
    """

    model_config = _CONFIG

    status: Literal["resolved", "rejected"]
    value: Any = None
    rejection: Rejection | None = None
    id: str = ""


class Peeked(BaseModel):
    """The answer of `peek`.

    Attributes:
        status: `pending`, `resolved` or `rejected`.
        value: The value, if the promise was resolved.
        rejection: The error, if the promise was rejected.
    """

    model_config = _CONFIG

    status: Literal["pending", "resolved", "rejected"] = "pending"
    value: Any = None
    rejection: Rejection | None = None

    @classmethod
    def of(cls, settled: Settled | None) -> "Peeked":
        """Return what `peek` answers."""
        return cls.model_validate(settled.model_dump(exclude={"id"}) if settled else {})


class Answered(Peeked):
    """The answer of `resolve` and `reject`: how the promise is settled.

    Attributes:
        first: Whether this answer has settled the promise. Otherwise an earlier answer
            counts.
    """

    first: bool

    @classmethod
    def by(cls, settled: Settled, *, first: bool) -> "Answered":
        """Return what `resolve` and `reject` answer."""
        peeked = Peeked.of(settled).model_dump()
        return cls.model_validate({"first": first, **peeked})
