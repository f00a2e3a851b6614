"""The joins and promises of `test_joins.py` and `test_promises.py`."""

import os
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import from_json
from restate import Context, TerminalError

from parallelizework import FanOut
from parallelizework.events import Join, JoinReason, Promises


class Event(BaseModel):
    id: str = ""
    kind: str = ""
    text: str = ""


class Joined(BaseModel):
    """What a run has received."""

    key: str
    reason: JoinReason
    ids: list[str]


def split(joined: Joined) -> list[str]:
    return joined.ids


def execute(id_: str) -> str:
    return id_


def aggregate(_ids: list[str], joined: Joined) -> Joined:
    return joined


received = FanOut("Received", split=split, execute=execute, aggregate=aggregate)


def joined(key: str, events: list[Event], reason: JoinReason) -> Joined:
    return Joined(key=key, reason=reason, ids=[each.id for each in events])


def id_of(event: Event) -> str:
    return event.id


three = Join("Three", event=Event, into=received, until=3, task=joined, id_of=id_of)
# The ids of events are forgotten soon.
forgetful = Join(
    "Forgetful",
    event=Event,
    into=received,
    until=2,
    task=joined,
    id_of=id_of,
    retention=timedelta(seconds=1),
)
large = Join("Large", event=Event, into=received, until=10_000, task=joined)
within = Join(
    "Within",
    event=Event,
    into="Received",
    until=100,
    within=timedelta(seconds=1.5),
    task=joined,
)
quiet = Join(
    "Quiet", event=Event, into=received, quiet_for=timedelta(seconds=1), task=joined
)


def is_complete(events: list[Event]) -> bool:
    return {each.kind for each in events} == {"paid", "packed"}


complete = Join("Complete", event=Event, into=received, until=is_complete, task=joined)


def repaired(name: str) -> bool:
    """Whether the test has repaired the functions of a key."""
    return Path(os.environ["JOINS_FOLDER"], name).exists()


def is_enough(events: list[Event]) -> bool:
    if not repaired(events[0].text):
        raise TerminalError("until is broken")
    return True


def broken(key: str, events: list[Event]) -> Joined:
    if not repaired(key):
        raise TerminalError("task is broken")
    return joined(key, events, JoinReason.ENOUGH)


fragile = Join("Fragile", event=Event, into=received, until=is_enough, task=joined)
fragile_task = Join("FragileTask", event=Event, into=received, until=2, task=broken)


def total_split(events: list[Event]) -> list[Event]:
    return events


def length(event: Event) -> int:
    return len(event.text)


def total(lengths: list[int]) -> int:
    return sum(lengths)


totals = FanOut("Totals", split=total_split, execute=length, aggregate=total)
plain = Join("Plain", event=Event, into=totals, until=2)

promises = Promises(retention=timedelta(seconds=2))
lasting = Promises("Lasting")


def keys(names: list[str]) -> list[str]:
    return names


async def awaited(ctx: Context, key: str) -> int:
    return from_json(await ctx.generic_call("Promise", "await", b"", key=key))


await_fan_out = FanOut("Awaits", split=keys, execute=awaited, aggregate=total)
