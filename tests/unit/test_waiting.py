"""Subtasks that wait for answers: their definition, and runs in memory."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from restate import Context, TerminalError
from restate.exceptions import RetryableError

from parallelizework import (
    Attempt,
    Event,
    Executor,
    FanOut,
    Policy,
    Reminder,
    Waiting,
)
from parallelizework.errors import DefinitionError
from parallelizework.testing import run_inline
from parallelizework.waiting.models import Wait, answer_key, service_of

HOUR = timedelta(hours=1)
ROOT = Path(__file__).parents[2]
ALL_SETTLED = Policy(tolerated_failure_percentage=100)


def numbers(count: int) -> list[int]:
    return list(range(count))


def ask(number: int) -> str | Waiting[str]:
    return "zero" if number == 0 else Waiting(within=HOUR)


def joined(values: list[str]) -> str:
    return ",".join(values)


def anything(values: list[Any]) -> str:
    return str(values)


def asking(
    execute: Callable[..., Any] = ask, **more: Any
) -> FanOut[Any, Any, Any, Any]:
    return FanOut("Asking", split=numbers, execute=execute, aggregate=joined, **more)


async def durable(ctx: Context, number: int) -> str | Waiting[str]:
    raise NotImplementedError


def untyped(number: int) -> str | Waiting:  # pyright: ignore[reportMissingTypeArgument, reportUnknownParameterType]
    raise NotImplementedError


def other_type(number: int) -> str | Waiting[int]:
    raise NotImplementedError


def always(number: int) -> Waiting[str]:
    return Waiting(within=HOUR)


def never(number: int) -> str:
    raise NotImplementedError


def remind(number: int, reminder: Reminder) -> None:
    pass


def remind_without_reminder(number: int) -> None:
    pass


def remind_of_text(text: str, reminder: Reminder) -> None:
    pass


def receive(number: int, event: Event) -> str:
    return str(event.data)


def receive_number(number: int, event: Event) -> int:
    raise NotImplementedError


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"execute": durable}, "wait for ctx.awakeable"),
    ({"execute": untyped}, "write Waiting\\[Receipt\\]"),
    ({"execute": other_type}, "returns Waiting\\[int\\], but its other values"),
    ({"remind": remind, "execute": never}, "its execute never waits"),
    ({"receive": receive, "execute": never}, "its execute never waits"),
    ({"remind": remind_without_reminder}, "a subtask and a parallelizework.Rem"),
    ({"remind": remind_of_text}, "accepts str, but a subtask is of type int"),
    ({"receive": receive_number}, "must return the type of a subtask's value, str"),
    ({"policy": Policy(max_items_per_batch=2)}, "use max_items_per_batch=1"),
    ({"policy": Policy(max_items_per_batch="auto")}, "use max_items_per_batch=1"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_a_wrong_definition_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        asking(**options)


def test_the_executor_has_the_functions_for_its_subtasks() -> None:
    with pytest.raises(DefinitionError, match="pass remind to the Executor"):
        FanOut(
            "Asking",
            split=numbers,
            executor="Asked",
            remind=remind,
            aggregate=joined,
        )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"within": timedelta(0)}, "within=0:00:00"),
        ({"within": timedelta(days=5_000)}, "at most 3650 days"),
        ({"within": HOUR, "key": ""}, "use WEBHOOK/KEY"),
        ({"within": HOUR, "key": "pi_123"}, "use WEBHOOK/KEY"),
        ({"within": HOUR, "key": "Shop/" + "x" * 508}, "at most 512 characters"),
        ({"within": HOUR, "remind_every": timedelta(0)}, "remind_every=0:00:00"),
        ({"within": HOUR, "reminders": 1}, "set remind_every too"),
        ({"within": HOUR, "remind_every": HOUR, "reminders": -1}, "use 0 or more"),
    ],
)
def test_a_wrong_waiting_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Waiting(**fields)


@pytest.mark.parametrize(
    ("every", "reminders", "planned"),
    [
        (None, None, 0),
        (20, None, 2),  # the third one would be at the end of the wait
        (25, None, 2),
        (20, 1, 1),
        (20, 5, 2),
        (20, 0, 0),
        (60, None, 0),
        (90, None, 0),
    ],
)
def test_the_number_of_reminders_is_known(
    every: int | None, reminders: int | None, planned: int
) -> None:
    pause = None if every is None else timedelta(minutes=every)

    waiting = Waiting[str](within=HOUR, remind_every=pause, reminders=reminders)

    assert waiting.planned_reminders == planned


def test_a_wait_is_ascii_because_it_becomes_a_header() -> None:
    wait = Wait.of(Waiting(within=HOUR, key="Größe/№ 1"), "Asking-inv_1")

    answer = wait.as_answer()

    assert answer.isascii()
    assert b"\n" not in answer


def test_the_key_of_a_subtask_names_its_service() -> None:
    assert service_of(answer_key("My-inv_1.Service", "inv_1abc")) == "My-inv_1.Service"
    assert service_of("inv_1abc") is None


@pytest.mark.parametrize("replays", [False, True])
def test_a_run_in_memory_is_answered(replays: bool) -> None:
    run = run_inline(
        asking(), 3, answers=lambda number, _: f"<{number}>", replays=replays
    )

    assert run.result == "zero,<1>,<2>"
    assert run.attempts == {0: 1, 1: 1, 2: 1}


@pytest.mark.parametrize("seed", range(20))
def test_a_run_in_memory_is_answered_in_any_order(seed: int) -> None:
    run = run_inline(
        asking(policy=Policy(max_concurrency=3)),
        200,
        answers=lambda number, _: str(number),
        seed=seed,
    )

    assert run.result == ",".join(["zero", *map(str, range(1, 200))])


def test_a_subtask_in_memory_times_out_without_an_answer() -> None:
    run = run_inline(asking(always, policy=ALL_SETTLED), 2)

    assert run.result == ""
    assert [failure.status for failure in run.failures] == ["timed_out"] * 2
    assert HOUR <= run.duration < HOUR + timedelta(minutes=1)


@pytest.mark.parametrize("seed", range(20))
def test_a_subtask_that_would_wait_at_the_end_of_the_run_has_no_value(
    seed: int,
) -> None:
    def fail_or_wait(number: int) -> str | Waiting[str]:
        if number == 7:
            raise TerminalError("declined", 402)
        return Waiting(within=HOUR)

    run = run_inline(asking(fail_or_wait), 20, seed=seed)

    assert run.error
    assert (run.error.status_code, run.counts.succeeded) == (402, 0)


@pytest.mark.parametrize("seed", range(5))
def test_a_subtask_that_would_wait_after_its_timeout_has_timed_out(seed: int) -> None:
    timeout = timedelta(seconds=5)

    def wait_in_the_second_attempt(number: int, attempt: Attempt) -> str | Waiting[str]:
        if attempt.number == 1:
            raise RetryableError("not yet", retry_after=timeout)
        return Waiting(within=HOUR)

    policy = ALL_SETTLED.model_copy(update={"subtask_timeout": timeout})

    run = run_inline(asking(wait_in_the_second_attempt, policy=policy), 20, seed=seed)

    assert [failure.status for failure in run.failures] == ["timed_out"] * 20
    assert not [call for call in run.calls if call.handler == "Asking/awaitAnswer"]


def test_an_error_of_the_answers_fails_the_subtask() -> None:
    def answer(number: int, _: object) -> str:
        raise TerminalError("declined", 402)

    run = run_inline(asking(), 2, answers=answer)

    assert run.error
    assert (run.error.status_code, run.failures[0].message) == (402, "declined")


def test_an_event_in_memory_is_received() -> None:
    def wait(number: int) -> str | Waiting[str]:
        return Waiting(key=f"Shop/{number}", within=HOUR)

    run = run_inline(
        asking(wait, receive=receive),
        2,
        answers=lambda number, waiting: Event(f"{waiting.key}: {number}"),
    )

    assert run.result == "Shop/0: 0,Shop/1: 1"


def test_an_executor_may_wait() -> None:
    asked = Executor("Asked", execute=always)
    fan_out = FanOut("Asking", split=numbers, executor="Asked", aggregate=joined)

    run = run_inline(fan_out, 2, executors=[asked], answers=lambda number, _: "x")

    assert run.result == "x,x"
    names = [service.name for service in asked.services]
    assert names == ["Asked", "FanOutAnswers", "FanOutMailbox"]


def test_reminders_in_memory_are_exact() -> None:
    reminded: list[tuple[int, bool]] = []

    def wait(number: int) -> str | Waiting[str]:
        return Waiting(within=HOUR, remind_every=timedelta(minutes=15), reminders=9)

    def note(number: int, reminder: Reminder) -> None:
        reminded.append((reminder.number, reminder.is_last))

    run_inline(asking(wait, remind=note), 1)

    assert reminded == [(1, False), (2, False), (3, True)]


def wrong(number: int) -> str:
    return Waiting[str](within=HOUR)  # pyright: ignore[reportReturnType] - on purpose


def wrong_for_any_type(number: int) -> Any:
    return Waiting[str](within=HOUR)


def wrong_for_annotated(number: int) -> Annotated[str | Waiting[str], "note"]:
    return Waiting(within=HOUR)


@pytest.mark.parametrize("execute", [wrong, wrong_for_any_type, wrong_for_annotated])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_subtask_that_cannot_wait_returns_no_waiting(
    execute: Callable[..., Any], batch: int
) -> None:
    policy = Policy(max_attempts=1, max_items_per_batch=batch)

    fan_out = FanOut(
        "Asking", split=numbers, execute=execute, aggregate=anything, policy=policy
    )

    run = run_inline(fan_out, 1)

    assert run.error
    assert "add Waiting[...] to the return hint" in run.error.message


def test_the_attempt_names_the_key() -> None:
    keys: list[str] = []

    def wait(number: int, attempt: Attempt) -> str | Waiting[str]:
        keys.append(attempt.key)
        return Waiting(within=HOUR)

    run_inline(asking(wait), 1, answers=lambda _, waiting: "yes")

    assert [service_of(key) for key in keys] == ["Asking"]


def test_the_page_shows_the_example() -> None:
    page = (ROOT / "docs/how-to/wait-for-answers.md").read_text()

    assert f"# approvals.py\n{(ROOT / 'examples/approvals.py').read_text()}" in page


def test_a_subtask_without_remind_cannot_ask_for_reminders() -> None:
    def wait(number: int) -> str | Waiting[str]:
        return Waiting(within=HOUR, remind_every=timedelta(minutes=1))

    run = run_inline(asking(wait), 1)

    assert run.error
    assert "Asking has no remind: add remind=... to it" in run.error.message


def test_a_duration_that_is_a_number_is_refused() -> None:
    with pytest.raises(TypeError, match="within=5: use a timedelta"):
        Waiting(within=5)  # pyright: ignore[reportArgumentType] - on purpose
