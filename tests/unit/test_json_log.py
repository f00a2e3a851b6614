"""The log of a worker as JSON: one object per line."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from math import nan
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from restate import TerminalError
from restate.server_context import restate_context_is_replaying

from parallelizework.attempts.attempt import attempted, end_with_error
from parallelizework.headers import SubtaskId
from parallelizework.observation import observer
from parallelizework.observation.observed import ObservedAttempt
from parallelizework.progress.labels import with_labels, without_labels
from parallelizework.serving.logs.json_lines import JsonLines
from parallelizework.serving.logs.records import RecordFilter

SUBTASK = SubtaskId("inv_1 tenant=acme", 17, 2, "photo-17.jpg")


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no text")


@pytest.fixture(autouse=True)
def observers() -> Iterator[None]:
    before = observer._observers  # pyright: ignore[reportPrivateUsage] - restored
    observer.observe(observer.Observer())
    yield
    observer._observers = before  # pyright: ignore[reportPrivateUsage]


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    text = JsonLines().format(record)
    assert text.isascii()
    assert "\n" not in text
    return json.loads(text, parse_constant=pytest.fail)


def record(
    message: str = "hello", *arguments: object, extra: Mapping[str, object] = {}
) -> logging.LogRecord:
    logger = logging.Logger("album")
    return logger.makeRecord(
        "album", logging.INFO, "album.py", 1, message, arguments, None, extra=extra
    )


def attempt(role: str = "execute", subtask: SubtaskId | None = None) -> ObservedAttempt:
    return ObservedAttempt(
        service="Album",
        role=role,
        function="resize",
        number=2,
        subtask_id=lambda: subtask,
        invocation="inv_1",
    )


def raised(function: Callable[[], object]) -> Exception:
    """What a function raises."""
    with pytest.raises(Exception, match=r".") as error:
        function()
    return error.value


def test_a_line_has_time_level_logger_message_and_process() -> None:
    made = record("resized %d photos", 3)
    made.created, made.process = 1_764_140_889.1234, 42

    assert line_of(made) == {
        "time": "2025-11-26T07:08:09.123Z",
        "level": "INFO",
        "logger": "album",
        "message": "resized 3 photos",
        "process": 42,
    }


def test_a_line_in_an_attempt_names_the_run_and_the_subtask() -> None:
    with observer.observed(attempt(subtask=SUBTASK)):
        line = line_of(record())

    expected = {
        "run": "inv_1",
        "labels": {"tenant": "acme"},
        "fan_out": "Album",
        "role": "execute",
        "function": "resize",
        "shard": 2,
        "index": 17,
        "name": "photo-17.jpg",
        "attempt": 2,
    }
    assert expected.items() <= line.items()


def test_a_line_in_split_names_the_run() -> None:
    with observer.observed(attempt("split")):
        line = line_of(record())

    assert (line["run"], line["function"]) == ("inv_1", "resize")
    assert "index" not in line


def test_the_line_of_a_failed_attempt_has_its_time_its_error_and_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = attempt(subtask=SUBTASK)

    with observer.observed(made):
        end_with_error(made, raised(lambda: 1 // 0))
        line = line_of(caplog.records[0])

    assert line["message"].startswith("attempt failed: service=Album execute=resize ")
    assert "attempt=2: ZeroDivisionError(" in line["message"]
    assert line["error"].startswith("ZeroDivisionError('integer division")
    assert line["traceback"].startswith("Traceback (most recent call last):\n")
    assert 0 <= line["seconds"] < 60
    assert line["index"] == 17


def test_a_terminal_error_has_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    end_with_error(attempt(subtask=SUBTASK), TerminalError("no such row", 404))

    line = line_of(caplog.records[0])
    assert line["error"] == "no such row"
    assert "traceback" not in line


def test_the_traceback_of_an_exception_is_a_field(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = raised(lambda: int("x"))

    logging.getLogger("album").error("broken", exc_info=error, stack_info=True)

    line = line_of(caplog.records[0])
    assert line["message"] == "broken"
    assert line["traceback"].endswith("with base 10: 'x'")
    assert line["stack"].startswith("Stack (most recent call last):")


def test_extra_fields_appear_and_do_not_replace_ours() -> None:
    extra = {"photo": Path("a.jpg"), "sizes": [1, 2], "index": 3, "level": "high"}

    with observer.observed(attempt(subtask=SUBTASK)):
        line = line_of(record(extra=extra))

    expected = {"photo": repr(Path("a.jpg")), "sizes": [1, 2]}
    assert expected.items() <= line.items()
    assert (line["index"], line["index_"]) == (17, 3)
    assert (line["level"], line["level_"]) == ("INFO", "high")


def circle() -> list[Any]:
    made: list[Any] = []
    made.append(made)
    return made


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (nan, "nan"),
        (circle(), "[[...]]"),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        (10**5_000, "int(...)"),
        (Unprintable(), "Unprintable(...)"),
        (b"\xff", "b'\\xff'"),
    ],
    ids=["number", "circle", "key", "large number", "no repr", "bytes"],
)
def test_a_value_that_is_not_json_is_shown_by_its_repr(value: Any, shown: str) -> None:
    assert line_of(record(extra={"value": value}))["value"] == shown


def test_a_line_has_no_line_end_and_no_invalid_character() -> None:
    assert line_of(record("\ud800\n\u2028"))["message"] == "\ud800\n\u2028"


def test_arguments_that_do_not_fit_the_message_do_not_lose_the_line() -> None:
    assert line_of(record("%d photos", "many"))["message"] == "'%d photos' ('many',)"
    assert "%s" in line_of(record("%s", Unprintable()))["message"]


@given(
    st.text(),
    st.dictionaries(
        st.text(min_size=1).filter(lambda key: key not in vars(record())),
        st.recursive(
            st.none() | st.floats() | st.text() | st.binary(),
            lambda inner: st.lists(inner) | st.dictionaries(st.integers(), inner),
        ),
        max_size=3,
    ),
)
def test_any_record_is_one_line_of_json(
    message: str, extra: Mapping[str, object]
) -> None:
    extra = {k: v for k, v in extra.items() if k not in {"message", "asctime"}}

    assert line_of(record(message, extra=extra))["message"] == message


def test_a_line_names_the_current_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    context = SimpleNamespace(is_valid=True, trace_id=0xABC, span_id=0xDEF)
    span = SimpleNamespace(get_span_context=lambda: context)
    trace = ModuleType("opentelemetry.trace")
    monkeypatch.setattr(trace, "get_current_span", lambda: span, raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", trace)

    line = line_of(record())

    assert line["trace_id"] == "00000000000000000000000000000abc"
    assert line["span_id"] == "0000000000000def"


@pytest.mark.parametrize(
    ("logger", "is_new"),
    [("album", False), ("parallelizework.attempts.attempt", True), ("asyncio", True)],
)
def test_a_line_of_the_user_is_dropped_in_a_replay(logger: str, is_new: bool) -> None:
    made = record()
    made.name = logger
    token = restate_context_is_replaying.set(True)

    found = RecordFilter().filter(made)

    restate_context_is_replaying.reset(token)
    assert found is is_new
    assert RecordFilter().filter(made)


@pytest.mark.anyio
async def test_a_function_in_a_step_may_log_although_later_commands_are_replayed() -> (
    None
):
    seen: list[bool] = []

    async def execute() -> bytes:
        seen.append(RecordFilter().filter(record()))
        return b""

    token = restate_context_is_replaying.set(True)
    await attempted(lambda: attempt(subtask=SUBTASK), execute)

    assert seen == [True]
    assert restate_context_is_replaying.get()
    restate_context_is_replaying.reset(token)


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_.-]{1,63}", fullmatch=True),
        st.text(min_size=1).filter(str.isprintable),
    )
)
def test_labels_are_read_from_the_text_of_a_run(labels: dict[str, str]) -> None:
    assert without_labels(with_labels("inv_1", labels)) == ("inv_1", labels)


def test_a_label_that_is_not_json_stays_as_it_is() -> None:
    assert without_labels(r'inv_1 a="\x"') == ("inv_1", {"a": r'"\x"'})


def served(tmp_path: Path, module: str) -> list[str]:
    """The lines of a worker that cannot listen on its address, on stderr."""
    (tmp_path / "module.py").write_text(module)
    command = [sys.executable, "-m", "parallelizework", "serve", "module.py"]
    completed = subprocess.run(
        [*command, "--bind", "256.0.0.1:1"],
        cwd=tmp_path,
        env={"PARALLELIZEWORK_LOG_FORMAT": "json"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert completed.returncode == 1
    return completed.stderr.splitlines()


FAN_OUT = """
import logging, warnings
from restate import Service

service = Service("Nothing")
"""


def test_errors_at_the_start_are_json_too(tmp_path: Path) -> None:
    module = f"{FAN_OUT}\nlogging.getLogger('module').warning('at import')"

    first, last = map(json.loads, served(tmp_path, module))

    assert (first["level"], first["message"]) == ("WARNING", "at import")
    assert last["level"] == "CRITICAL"
    assert last["message"].startswith("process ends: cannot listen on 256.0.0.1:1")


def test_an_error_in_a_served_module_has_its_traceback(tmp_path: Path) -> None:
    (line,) = map(json.loads, served(tmp_path, "1 / 0"))

    assert line["message"].startswith("process ends: ZeroDivisionError(")
    assert line["traceback"].endswith("ZeroDivisionError: division by zero")


def test_a_module_that_configures_logging_itself_is_noted(tmp_path: Path) -> None:
    lines = served(tmp_path, f"{FAN_OUT}\nlogging.basicConfig(format='%(message)s')")

    assert lines[0] == (
        "PARALLELIZEWORK_LOG_FORMAT=json has no effect: a served module configures "
        "logging"
    )


def test_a_field_whose_name_is_no_text_is_shown() -> None:
    made = record()
    made.__dict__[17] = "photo"  # pyright: ignore[reportArgumentType] - as logging does

    assert line_of(made)["17"] == "photo"
