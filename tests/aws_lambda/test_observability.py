"""Traces and the log of a function on AWS Lambda."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from parallelizework.aws_lambda import observability

from ..integration.processes import LONG
from ..observability.otlp import Receiver, receiver
from .server import server_on_lambda


@dataclass
class Seen:
    """What a run has left: its spans, and the lines of the log that are JSON."""

    spans: Receiver
    lines: list[dict[str, Any]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Execute a run of three subtasks: one fails once, and one fails for good."""
    folder = tmp_path_factory.mktemp("lambda")
    with receiver() as spans:
        variables = {
            "PARALLELIZEWORK_FAN_OUTS": "tests.observability.traced:traced",
            "PARALLELIZEWORK_LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": spans.url,
            "OTEL_BSP_SCHEDULE_DELAY": "3600000",  # nothing is sent but at the end
        }
        with server_on_lambda(variables, folder) as (server, _):
            url = f"{server.ingress}/restate/call/Traced/run"
            httpx.post(url, json=3, timeout=LONG).raise_for_status()
        yield Seen(spans, list(json_lines(folder / "function.log")))


def json_lines(log: Path) -> Iterator[dict[str, Any]]:
    for line in log.read_text().splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def test_the_spans_of_an_invocation_are_sent_before_its_answer(seen: Seen) -> None:
    found = [each.attributes for each in seen.spans.named("execute Traced")]

    assert sorted((a["index"], a["attempt"], a["outcome"]) for a in found) == [
        (0, 1, "succeeded"),
        (1, 1, "failed"),
        (1, 2, "succeeded"),
        (2, 1, "failed"),
    ]
    assert len(seen.spans.named("split Traced")) == 1
    assert len(seen.spans.named("aggregate Traced")) == 1


def test_a_line_of_the_log_has_the_subtask_and_the_trace(seen: Seen) -> None:
    failed = [line for line in seen.lines if line["level"] == "WARNING"]

    shown = [(each["index"], each["attempt"], each["error"][:10]) for each in failed]
    assert sorted(shown) == [(1, 1, "ValueError"), (2, 1, "never")]
    (span,) = [
        each
        for each in seen.spans.named("execute Traced")
        if each.attributes["index"] == 2
    ]
    (line,) = [each for each in failed if each["index"] == 2]
    assert (line["trace_id"], line["span_id"]) == (span.trace, span.id.hex())
    assert line["fan_out"] == "Traced"
    assert line["run"] == span.attributes["run"]


def waits(
    monkeypatch: pytest.MonkeyPatch, seconds_left: list[float], *, answers: bool
) -> list[float]:
    """How long invocations with these seconds left would wait for their spans."""
    limits: list[float] = []

    def flush(seconds: float) -> bool:
        limits.append(seconds)
        return answers

    monkeypatch.setattr(observability, "flush", flush)
    spans = observability.SpanSender()
    for left in seconds_left:
        spans.send(left)
    return limits


def test_an_endpoint_that_does_not_answer_delays_one_invocation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert waits(monkeypatch, [60.0, 60.0, 60.0], answers=False) == [1.0]


def test_spans_leave_time_for_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waits(monkeypatch, [60.0, 0.5, 0.0], answers=True) == [1.0, 0.25, 0.0]
