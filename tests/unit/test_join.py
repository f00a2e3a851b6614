"""The definition of a join and of promises, and the rounds of a key."""

from datetime import timedelta
from typing import Any

import pytest
from restate import Context

import parallelizework
from parallelizework import FanOut
from parallelizework.errors import DefinitionError
from parallelizework.events import Join, JoinReason, Promises
from parallelizework.events.joins.models import (
    MAX_BYTES,
    MAX_EVENTS,
    Round,
)
from parallelizework.events.joins.rounds import State
from parallelizework.events.promises.models import Answered, Peeked, Settled
from parallelizework.testing import run_inline


def split(numbers: list[int]) -> list[int]:
    return numbers


def double(number: int) -> int:
    return 2 * number


def total(numbers: list[int]) -> int:
    return sum(numbers)


numbers = FanOut("Numbers", split=split, execute=double, aggregate=total)


def many(events: list[int]) -> bool:
    return len(events) > 10


def as_task(_key: str, events: list[int], _reason: JoinReason) -> list[int]:
    return events


def texts(events: list[int]) -> list[str]:
    return [str(each) for each in events]


def id_of(event: int) -> str:
    return str(event)


def test_a_join_is_served_with_its_fan_out() -> None:
    join = Join("Sum", event=int, into=numbers, until=3)

    names = [each.name for each in parallelizework.services(numbers, join)]

    assert names[:2] == ["Numbers", "Sum"]
    assert [each.name for each in join.services] == ["Sum"]
    assert repr(join) == "Join('Sum')"


PARTS: dict[str, Any] = {"event": int, "into": numbers}
ACCEPTED: list[dict[str, Any]] = [
    {"until": 1},
    {"until": MAX_EVENTS},
    {"until": many},
    {"within": timedelta(days=1)},
    {"quiet_for": timedelta(seconds=1)},
    {"until": 3, "task": as_task},
    {"until": 3, "task": split},
    {"until": 3, "id_of": id_of},
    {"until": 3, "into": "Elsewhere", "task": texts},
    {"until": 3, "into": "Elsewhere", "event": int | str},
]


@pytest.mark.parametrize("parts", ACCEPTED)
def test_parts_that_fit_each_other_are_accepted(parts: dict[str, Any]) -> None:
    Join("Sum", **PARTS | parts)


async def awaited_id(event: int) -> str:
    return str(event)


def number_id(event: int) -> int:
    return event


def text_id(event: str) -> str:
    return event


def other_events(events: list[str]) -> bool:
    return bool(events)


def no_bool(events: list[int]) -> int:
    return len(events)


def no_hint(events):  # pyright: ignore[reportMissingParameterType, reportUnknownParameterType] - the test
    return True


async def handler_code(_ctx: Context, events: list[int]) -> list[int]:
    return events


def unknown_parameter(events: list[int], _more: float) -> list[int]:
    return events


def two_keys(_key: str, _other: str) -> list[int]:
    return []


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no rule": ({}, "would never start a run"),
    "zero": ({"until": 0}, "until=0 of Sum: use a number from 1"),
    "true": ({"until": True}, "until=True of Sum"),
    "text": ({"until": "3"}, "until='3' of Sum"),
    "too many": ({"until": MAX_EVENTS + 1}, "from 1 to 10,000"),
    "no time": ({"within": timedelta(0)}, "within=0:00:00 of Sum"),
    "past": ({"quiet_for": timedelta(-1)}, "quiet_for=-1 day.* of Sum"),
    "retention": ({"until": 3, "retention": timedelta(0)}, "retention=0:00:00"),
    "other events": ({"until": other_events}, r"until of Sum.* must accept list\[int"),
    "no bool": ({"until": no_bool}, "must return a bool, not int"),
    "no hint": ({"until": no_hint}, "has no type hint"),
    "context": ({"until": 3, "task": handler_code}, "accepts a restate.Context"),
    "unknown": ({"until": 3, "task": unknown_parameter}, "'_more' of type float"),
    "two keys": ({"until": 3, "task": two_keys}, "two parameters of the same type"),
    "other task": ({"until": 3, "task": texts}, r"returns list\[str\], but the task"),
    "other event": ({"until": 3, "event": str}, "pass a function task"),
    "async id": ({"until": 3, "id_of": awaited_id}, "must be `def`"),
    "number id": ({"until": 3, "id_of": number_id}, "return a str"),
    "text id": ({"until": 3, "id_of": text_id}, "must accept int, not str"),
    "into": ({"until": 3, "into": 7}, "into of Sum is 7: pass a FanOut"),
    "into name": ({"until": 3, "into": "a b"}, "not a valid name"),
}


@pytest.mark.parametrize(("parts", "message"), WRONG.values(), ids=WRONG)
def test_parts_that_do_not_fit_are_an_error_at_once(
    parts: dict[str, Any], message: str
) -> None:
    with pytest.raises(DefinitionError, match=message):
        Join("Sum", **PARTS | parts)


def test_a_join_has_the_name_of_a_service() -> None:
    with pytest.raises(DefinitionError, match="not a valid name"):
        Join("My sum", event=int, into=numbers, until=3)


def test_promises_have_a_name_and_a_retention() -> None:
    assert [each.name for each in Promises().services] == ["Promise"]
    assert repr(Promises("Approval")) == "Promises('Approval')"
    with pytest.raises(DefinitionError, match="retention=0:00:00 of Promise"):
        Promises(retention=timedelta(0))
    with pytest.raises(DefinitionError, match="not a valid name"):
        Promises("My promise")


def with_events(state: State, count: int, size: int = 10, now: float = 1.0) -> State:
    for number in range(count):
        state = state.with_event(size, now + number)
    return state


def test_a_round_has_the_time_of_its_first_event() -> None:
    state = with_events(State(), 3)

    assert (state.count, state.since, state.last) == (3, 1.0, 3.0)


def test_the_next_round_begins_after_the_last_event() -> None:
    state = with_events(State(), 3).after(JoinReason.ENOUGH, 3, 0)

    assert (state.number, state.first, state.count, state.since) == (2, 3, 0, None)
    assert state.waiting == [
        Round(number=1, reason=JoinReason.ENOUGH, first=0, end=3, since=1.0)
    ]


def test_events_after_the_end_of_a_round_are_in_the_next_one() -> None:
    state = with_events(State(), 4, size=100).after(JoinReason.ENOUGH, 3, 9.0)

    assert (state.first, state.count, state.since, state.size) == (3, 1, 9.0, 100)


def test_two_rounds_never_have_the_same_time() -> None:
    state = with_events(State(), 2).after(JoinReason.ENOUGH, 1, 0.5)

    assert state.since
    assert state.since > 1.0


@pytest.mark.parametrize(("count", "size"), [(MAX_EVENTS, 1), (1, MAX_BYTES)])
def test_a_round_is_full(count: int, size: int) -> None:
    assert with_events(State(), count, size).is_full
    assert not with_events(State(), count - 1, size).is_full


def test_the_latest_runs_are_kept_and_all_that_wait_for_their_start() -> None:
    state = State()
    for number in range(30):
        state = with_events(state, 1).after(JoinReason.ENOUGH, number + 1, 0)
    for round_ in state.ended[5:]:
        state = state.with_round(round_.model_copy(update={"run": "inv_1"}))

    assert [each.number for each in state.waiting] == [1, 2, 3, 4, 5]
    assert len(state.ended) == 25


def test_the_answer_of_a_promise_has_no_id() -> None:
    settled = Settled(status="resolved", value=[1], id="inv_1")

    answered = Answered.by(settled, first=True)

    assert answered.model_dump(exclude_none=True) == {
        "first": True,
        "status": "resolved",
        "value": [1],
    }
    assert Peeked.of(None).status == "pending"


def flat(events: list[list[int]]) -> list[int]:
    return [number for event in events for number in event]


def test_a_retry_of_until_receives_the_events_as_they_were() -> None:
    received: list[list[list[int]]] = []

    def until(events: list[list[int]]) -> bool:
        received.append([list(event) for event in events])
        for event in events:
            event.clear()
        if len(received) == 1:
            raise OSError("try again")
        return False

    join = Join("Sum", event=list[int], into=numbers, until=until, task=flat)

    async def add_two_events(ctx: Context, _number: int) -> int:
        for event in (b"[1, 2]", b"[3]"):
            await ctx.generic_call("Sum", "add", event, key="a")
            await ctx.sleep(timedelta(minutes=1))
        return 0

    adding = FanOut("Adding", split=split, execute=add_two_events, aggregate=total)

    run_inline(adding, [0], services=[numbers, join])

    assert received == [[[1, 2]], [[1, 2]], [[1, 2], [3]]]


def test_an_id_of_that_exits_refuses_the_event() -> None:
    def leave(event: int) -> str:
        raise SystemExit(event)

    join = Join("Sum", event=int, into=numbers, until=1, task=split, id_of=leave)

    async def add(ctx: Context, event: int) -> int:
        await ctx.generic_call("Sum", "add", str(event).encode(), key="a")
        return event

    adding = FanOut("Adding", split=split, execute=add, aggregate=total)

    run = run_inline(adding, [7], services=[numbers, join])

    assert run.error
    assert run.error.status_code == 400
    assert "SystemExit(7)" in run.error.message
