"""Traces without a server: when they are on, and which tracer provider makes them."""

import logging
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider, sampling
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from parallelizework.client.server_api.traceparent import trace_headers
from parallelizework.errors import SettingsError
from parallelizework.headers import SubtaskId
from parallelizework.observation.observed import ObservedAttempt, ObservedBatch
from parallelizework.settings import sends_traces
from parallelizework.tracing import failed_exports
from parallelizework.tracing.failed_exports import OnceAMinute
from parallelizework.tracing.spans import Spans

from .test_extras import COMMAND, HIDE

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
DISABLED = "OTEL_SDK_DISABLED"
NOWHERE = "http://127.0.0.1:9"
LOAD = """
import sys
from parallelizework.serving.app import load_app
from parallelizework.settings import Settings
load_app(Settings())
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
OWN_PROVIDER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from parallelizework import FanOut
from parallelizework.testing import run_inline
from parallelizework.tracing import start_tracing

def split(count: int) -> list[int]:
    return list(range(count))

def execute(number: int) -> int:
    return number

def total(numbers: list[int]) -> int:
    return sum(numbers)

exporter, own = InMemorySpanExporter(), TracerProvider()
own.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(own)
start_tracing()
start_tracing()
run_inline(FanOut("Own", split=split, execute=execute, aggregate=total), 1)
print(trace.get_tracer_provider() is own)
print([span.name for span in exporter.get_finished_spans()])
"""


def python(code: str, *arguments: str, **variables: str) -> tuple[str, str, int]:
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stdout, ended.stderr, ended.returncode


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, False),
        ({ENDPOINT: ""}, False),
        ({ENDPOINT: NOWHERE}, True),
        ({TRACES_ENDPOINT: NOWHERE}, True),
        ({ENDPOINT: NOWHERE, DISABLED: "True"}, False),
        ({ENDPOINT: NOWHERE, DISABLED: "false"}, True),
    ],
)
def test_the_variables_of_opentelemetry_turn_traces_on(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, expected: bool
) -> None:
    for name in (ENDPOINT, TRACES_ENDPOINT, DISABLED):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert sends_traces() is expected


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        (ENDPOINT, "localhost:4318", "set a URL, such as http://HOST:4318"),
        (TRACES_ENDPOINT, "127.0.0.1:4318", "set a URL"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "by http/protobuf only"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "by http/protobuf only"),
    ],
)
def test_a_setting_that_cannot_work_is_an_error(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError, match=f"^{variable}={value}: .*{problem}"):
        sends_traces()


@pytest.mark.parametrize(
    ("attempts", "status"),
    [((False, False), StatusCode.UNSET), ((False, True), StatusCode.ERROR)],
)
def test_the_span_of_a_batch_is_an_error_if_an_attempt_failed(
    attempts: tuple[bool, ...], status: StatusCode
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans = Spans(provider.get_tracer("test"))

    with spans.batch(ObservedBatch(service="B", run="inv_1", subtasks=2, slots=2)):
        for has_failed in attempts:
            attempt = ObservedAttempt(
                service="B",
                role="execute",
                function="execute",
                number=1,
                subtask_id=lambda: SubtaskId("inv_1", 0),
                invocation="inv_2",
                is_in_batch=True,
            )
            with spans.attempt(attempt):
                attempt.status = "failed" if has_failed else "succeeded"

    [span] = exporter.get_finished_spans()
    assert span.status.status_code == status
    assert len(span.events) == 2


def test_a_worker_without_traces_does_not_import_opentelemetry() -> None:
    assert python(LOAD) == ("[]\n", "", 0)


def test_traces_without_their_extra_are_an_error_in_one_line() -> None:
    program = HIDE.replace("{hidden}", "('opentelemetry',)") + COMMAND

    printed, error, code = python(program, "serve", **{ENDPOINT: NOWHERE})

    assert (printed, code) == ("", 1)
    assert error == (
        "parallelizework: traces need the package 'opentelemetry': pip install "
        "'parallelizework[telemetry]', or set OTEL_SDK_DISABLED=true\n"
    )


def test_a_tracer_provider_of_the_program_makes_the_spans() -> None:
    printed, error, _ = python(OWN_PROVIDER)

    assert (error, printed.splitlines()) == (
        "",
        ["True", "['split Own', 'execute Own', 'aggregate Own']"],
    )


def test_a_client_sends_the_trace_of_its_caller() -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")

    with tracer.start_as_current_span("client") as span:
        headers = trace_headers()

    own = span.get_span_context()
    traceparent = f"00-{own.trace_id:032x}-{own.span_id:016x}-01"
    assert headers == {"traceparent": traceparent}
    assert trace_headers() == {}


def test_a_client_does_not_send_a_trace_that_is_not_sampled() -> None:
    provider = TracerProvider(sampling.ALWAYS_OFF, shutdown_on_exit=False)

    with provider.get_tracer("tests").start_as_current_span("client"):
        assert trace_headers() == {}


def test_a_failed_export_is_logged_once_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(failed_exports, "monotonic", lambda: now)
    record = logging.makeLogRecord({})
    once = OnceAMinute()
    passed = list[float]()

    for now in (0.0, 1.0, 59.0, 60.0, 61.0, 500.0):
        if once.filter(record):
            passed.append(now)

    assert passed == [0.0, 60.0, 500.0]


def test_another_problem_of_an_export_is_logged_at_once() -> None:
    once = OnceAMinute()
    texts = ["tries again: %s", "has failed: %s", "tries again: %s"]
    records = [logging.makeLogRecord({"msg": text, "args": (1,)}) for text in texts]

    assert [once.filter(record) for record in records] == [True, True, False]
