"""The words of the command line, and the task that it reads."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from parallelizework.cli.printing import formats
from parallelizework.cli.printing.bar import Bar, Rows, bar_text
from parallelizework.cli.task import UsageError, read_task
from parallelizework.client.models import Invocation, Progress, State

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def progress(state: State = "running", **known: object) -> Progress:
    return Progress.model_validate(
        {"run": "inv_1", "fan_out": "Squares", "state": state, **known}
    )


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (progress("starting"), "starting"),
        (progress(succeeded=5), "running: 5 succeeded"),
        (progress(total=8, percent=0.0), "running: 0 of 8 succeeded, 0%"),
        (
            progress(total=8, succeeded=3, failed=1, percent=50.0, rate=2.0, eta=2.0),
            "running: 3 of 8 succeeded, 1 failed, 50%, 2.0/s, ETA 0:02",
        ),
        (
            progress("cancelled", total=8, timed_out=1, cancelled=7, percent=12.5),
            "cancelled: 0 of 8 succeeded, 1 timed out, 7 cancelled",
        ),
        (
            progress("succeeded", total=8, succeeded=7, failed=1, rate=4.0),
            "succeeded: 7 of 8 succeeded, 1 failed",
        ),
        (
            progress(total=8, paused=2, unanswered=("A", "B"), percent=0.0),
            "running: 0 of 8 succeeded, 2 paused, 0%, no worker answers for A and B "
            "(`parallelizework doctor`)",
        ),
    ],
)
def test_progress_is_one_line_of_the_known_numbers(shown: Progress, line: str) -> None:
    assert formats.progress_line(shown) == line


def test_elapsed_time_stops_when_the_run_has_ended() -> None:
    end = NOON + timedelta(seconds=90)
    ended = progress("succeeded", started=NOON, updated=end)

    assert bar_text(progress(started=NOON), end) == "running, elapsed 1:30"
    assert bar_text(ended, NOON + timedelta(days=1)) == "succeeded, elapsed 1:30"


def test_a_note_is_whole_on_lines_below_the_bar_while_no_worker_answers() -> None:
    terminal = Console(file=StringIO(), width=80, force_terminal=True)
    up = progress(total=40, succeeded=20, percent=50.0, started=NOON)
    down = up.model_copy(update={"unanswered": ("Squares",)})

    def drawn() -> str:
        with terminal.capture() as captured:
            terminal.print(*rows.get_renderables(), sep="")
        return " ".join(Text.from_ansi(captured.get()).plain.split())

    with Rows(terminal) as rows:
        bar = Bar(rows)
        bar.show(down)
        drawn_down = drawn()
        bar.show(up)
        drawn_up = drawn()

    assert drawn_down.endswith(
        "no worker answers for Squares (`parallelizework doctor`)"
    )
    assert "Squares" in drawn_down.partition("running: 20 of 40 succeeded, 50%")[0]
    assert "no worker" not in drawn_up


@pytest.mark.parametrize(
    ("seconds", "clock", "age"),
    [
        (0.4, "0:00", "0s"),
        (65, "1:05", "1m"),
        (3700, "1:01:40", "1h"),
        (9e4, "25:00:00", "1d"),
    ],
)
def test_durations_and_ages_are_printed_in_a_few_characters(
    seconds: float, clock: str, age: str
) -> None:
    assert (formats.clock(seconds), formats.age(seconds)) == (clock, age)


def test_a_table_is_aligned_without_trailing_blanks() -> None:
    assert formats.table([("A", "B"), ("long", "x")]) == "A     B\nlong  x"


def test_a_task_is_json_from_an_argument_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "task.json"
    file.write_text('{"a": 1.0}')

    assert read_task("-5", None) == b"-5"
    assert read_task(f"@{file}", None) == b'{"a": 1.0}'


def test_each_line_of_a_file_becomes_a_text_of_the_task(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text('a.log\n\n  \n"b" c.log\n')

    assert read_task(None, str(file)) == b'["a.log", "\\"b\\" c.log"]'


@pytest.mark.parametrize(
    ("status", "journal_size", "state"),
    [
        ("pending", 0, "starting"),
        ("backing-off", 1, "starting"),
        ("ready", 9, "running"),
        ("suspended", 9, "running"),
    ],
)
def test_a_run_is_starting_until_its_first_step(
    status: str, journal_size: int, state: State
) -> None:
    invocation = Invocation(
        id="inv_1",
        target_service_name="Squares",
        status=status,
        journal_size=journal_size,
        created_at=NOON,
    )

    assert invocation.alone().state == state
    assert invocation.correct(progress(succeeded=3)).state == "running"


def test_lines_end_at_line_feeds_only(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_bytes("a\x0cb\nc\u2028d\n\ne\x85f\r\ng\x1ch\n".encode())

    task = json.loads(read_task(None, str(file)))

    assert task == ["a\x0cb", "c\u2028d", "e\x85f", "g\x1ch"]


@pytest.mark.parametrize(
    ("task", "lines", "mistake"),
    [
        (None, None, "the task is missing: add the task as JSON"),
        ("1", "-", "either a task or --from-lines FILE, not both"),
        ("foo", None, "not JSON"),
        ("@/nowhere", None, "cannot read /nowhere: No such file"),
        (None, "/nowhere", "cannot read /nowhere: No such file"),
        ("[" * 500, None, "not JSON"),
        ('"\\ud800"', None, "not JSON"),
    ],
)
def test_a_task_that_is_missing_or_not_json_is_a_usage_error(
    task: str | None, lines: str | None, mistake: str
) -> None:
    with pytest.raises(UsageError, match=mistake):
        read_task(task, lines)


@pytest.mark.parametrize(
    ("status", "result", "failure", "state"),
    [
        ("scheduled", None, None, "scheduled"),
        ("suspended", None, None, "running"),
        ("backing-off", None, None, "running"),
        ("paused", None, None, "paused"),
        ("completed", "success", None, "succeeded"),
        ("completed", "failure", "[409] cancelled", "cancelled"),
        ("completed", "failure", "[409] killed", "failed"),
    ],
)
def test_the_status_of_restate_overrides_a_progress_of_running(
    status: str, result: str | None, failure: str | None, state: str
) -> None:
    invocation = Invocation(
        id="inv_1",
        target_service_name="Squares",
        status=status,
        created_at=NOON,
        completion_result=result,
        completion_failure=failure,
    )

    assert invocation.correct(progress(succeeded=3)).state == state
    assert invocation.correct(progress(succeeded=3)).succeeded == 3
    assert invocation.correct(progress("cancelled")).state == "cancelled"
