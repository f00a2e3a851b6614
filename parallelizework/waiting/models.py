"""The messages about subtasks that wait for an answer. Pure.

1. `runSubtask` answers with a `Wait` instead of a value. The coordinator then calls
   `awaitAnswer` of the same service, and uses the slot for another subtask. The `Wait`
   is a header of this call. The body is the subtask.
2. `awaitAnswer` sends itself as a `Waiter` to the virtual object of its key:
   `FanOutAnswers` for its own key, `FanOutMailbox` for the key of an event.
3. The virtual object sends the `Answer` to `awaitAnswer`, by a signal. The answer may
   have come before the waiter.
4. If `awaitAnswer` ends otherwise, it withdraws from the virtual object. An answer that
   was accepted just before still counts: then the signal is on its way.
"""

import json
import re
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from parallelizework.outcomes import Event, Fault, Waiting

WAIT_HEADER = "x-parallelizework-wait"
ANSWERS, MAILBOX = "FanOutAnswers", "FanOutMailbox"  # the virtual objects

_WAITING = "parallelizework.Waiting"  # the JSON field; no user's value has this name
_START = b'{"%s":' % _WAITING.encode()
_KEY = re.compile(r"(.+)-inv_[0-9A-Za-z]+")

_CONFIG = ConfigDict(frozen=True, ser_json_inf_nan="constants")


def answer_key(service: str, invocation: str) -> str:
    """Return the key of a subtask: the name of its service, and its invocation id.

    Nobody can guess an invocation id: 80 bits of it are random.
    """
    return f"{service}-{invocation}"


def service_of(key: str) -> str | None:
    """Return the name of the service in the key of a subtask; None for another key."""
    found = _KEY.fullmatch(key)
    return found[1] if found else None


class Wait(BaseModel):
    """How a subtask waits: a `Waiting` as a message.

    Attributes:
        key: The key of the subtask.
        event: The key of the event that the subtask waits for, if any.
        within: How long it waits, in seconds.
        remind_every: The pause between two reminders, in seconds.
        reminders: How many reminders follow if no answer comes.
    """

    model_config = _CONFIG

    key: str
    event: str | None = None
    within: float
    remind_every: float = 0
    reminders: int = 0

    @classmethod
    def of(cls, waiting: Waiting[Any], key: str) -> Self:
        """Return the message for a `Waiting` of the subtask with a key."""
        every = waiting.remind_every
        return cls(
            key=key,
            event=waiting.key,
            within=waiting.within.total_seconds(),
            remind_every=every.total_seconds() if every else 0,
            reminders=waiting.planned_reminders,
        )

    @property
    def awaited(self) -> str:
        """The key of the answer or event that the subtask waits for."""
        return self.event or self.key

    @property
    def target(self) -> str:
        """The virtual object to which the answer comes."""
        return MAILBOX if self.event else ANSWERS

    def as_answer(self) -> bytes:
        """Return the answer of `runSubtask`: ASCII, because it becomes a header."""
        return _START + json.dumps(self.model_dump()).encode() + b"}"


def is_wait(answer: bytes) -> bool:
    """Whether `runSubtask` has answered that the subtask waits."""
    return answer.startswith(_START)


def wait_headers(answer: bytes) -> dict[str, str]:
    """Return the header of the call of `awaitAnswer`, whose body is the subtask.

    Args:
        answer: The answer of `runSubtask`.
    """
    return {WAIT_HEADER: answer[len(_START) : -1].decode()}


class Waiter(BaseModel):
    """A subtask that waits for the answer of one key.

    Attributes:
        invocation: The id of the invocation of `awaitAnswer`.
        service: The name of its service.
        number: How many answers it has refused. The next answer is the signal with this
            number.
        kept_for: How long the key is kept from now on, in seconds.
    """

    model_config = _CONFIG

    invocation: str
    service: str
    number: int = 0
    kept_for: float


class Answer(BaseModel):
    """What `awaitAnswer` receives.

    Attributes:
        value: The value, as plain JSON, if the subtask succeeds.
        fault: Why the subtask fails, if it fails.
        event: The event, if the subtask waits for one.
    """

    model_config = _CONFIG

    value: Any = None
    fault: Fault | None = None
    event: Event | None = None


class Answered(BaseModel):
    """What `succeed` and `fail` of `FanOutAnswers` return.

    Attributes:
        is_first: Whether this was the first answer. Otherwise, it is the same as the
            first answer, and changes nothing.
        is_waiting: Whether the subtask waits already. Otherwise, it receives the answer
            as soon as it waits.
    """

    model_config = ConfigDict(frozen=True)

    is_first: bool
    is_waiting: bool


class Withdrawal(BaseModel):
    """A subtask no longer waits.

    Attributes:
        invocation: The id of the invocation of `awaitAnswer`.
        status: How the subtask has ended.
    """

    model_config = _CONFIG

    invocation: str
    status: Literal["timed_out", "cancelled"]


class Delivery(BaseModel):
    """An event for a key of `FanOutMailbox`.

    Attributes:
        id: The id of the event; None if it has no id.
        data: What the event says, as plain JSON.
        kept_for: How long the event is kept while nobody waits for it, in seconds.
    """

    model_config = _CONFIG

    id: str | None = None
    data: Any = None
    kept_for: float = 86_400

    @property
    def event(self) -> Event:
        """The event."""
        return Event(data=self.data, id=self.id)


def answer_name(number: int) -> str:
    """Return the name of the signal with an answer."""
    return f"answer.{number}"
