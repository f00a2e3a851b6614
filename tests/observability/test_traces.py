"""The spans of a worker, as a real receiver of OTLP gets them."""

import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from threading import Event
from time import monotonic

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider

from parallelizework.client import Client
from parallelizework.local.dev import Local, local
from parallelizework.local.ports import Ports
from parallelizework.local.worker import serve

from ..integration.processes import LONG, eventually
from .otlp import Received, Receiver, receiver

MODULE = "tests.observability.traced"
SERVED = [f"{MODULE}:{name}" for name in ("traced", "replayed", "batched")]
TRACER = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
_traces = count(1)


@pytest.fixture(scope="module")
def spans() -> Iterator[Receiver]:
    with receiver() as received:
        yield received


@pytest.fixture(scope="module")
def started(spans: Receiver) -> Iterator[Local]:
    """A server and a worker that send their spans to the same receiver."""
    environment = {
        "RESTATE_TRACING_ENDPOINT": f"otlp+{spans.url}/v1/traces",
        "OTEL_EXPORTER_OTLP_ENDPOINT": spans.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    targets = [*SERVED, f"{MODULE}:handler_code"]
    with local(targets, ports=Ports(0, 0, 0), environment=environment) as started:
        url = f"{started.admin}/services/Replayed"
        settings = {"inactivity_timeout": "0s"}
        httpx.patch(url, json=settings).raise_for_status()
        yield started


def run(started: Local, fan_out: str, task: int, flags: str = "01") -> str:
    """Run a task to its end, and return the id of its trace."""
    trace = f"{next(_traces):032x}"
    traceparent = {"traceparent": f"00-{trace}-00f067aa0ba902b7-{flags}"}
    url = f"{started.ingress}/restate/call/{fan_out}/run"
    answer = httpx.post(url, json=task, headers=traceparent, timeout=LONG)
    answer.raise_for_status()
    return trace


def executed(spans: Receiver, fan_out: str, trace: str) -> list[Received]:
    """The spans of the subtasks of a run, when `aggregate` has been received too."""
    spans.wait_for(f"aggregate {fan_out}", trace)
    return spans.named(f"execute {fan_out}", trace)


def test_one_trace_leads_from_the_client_to_each_subtask(
    started: Local, spans: Receiver
) -> None:
    with TRACER.start_as_current_span("client") as span, _client(started) as client:
        run = client.submit("Traced", 2)
        run.result(timeout=LONG)
    context = span.get_span_context()
    trace = f"{context.trace_id:032x}"
    spans.wait_for("invocation-end Traced/run", trace)
    (ingress,) = spans.named("ingress Traced/run", trace)
    subtasks = executed(spans, "Traced", trace)

    assert ingress.parent == context.span_id.to_bytes(8)
    assert {each.service for each in subtasks} == {"parallelizework"}
    assert {tuple(spans.path_to(each)) for each in subtasks} == {
        (
            "execute Traced",
            "invocation-attempt Traced/runSubtask",
            "invocation-start Traced/runSubtask",
            "invocation-attempt Traced/run",
            "invocation-start Traced/run",
            "ingress Traced/run",
        )
    }
    assert {each.attributes["run"] for each in subtasks} == {run.id}


def test_each_attempt_is_a_span_with_its_outcome(
    started: Local, spans: Receiver
) -> None:
    trace = run(started, "Traced", 3)

    found = [
        (a["index"], a["name"], a["attempt"], a["outcome"], each.error)
        for each in executed(spans, "Traced", trace)
        if (a := each.attributes)
    ]
    once = f"ValueError('once') in execute, {MODULE.rpartition('.')[2]}.py:"
    assert sorted((*each[:4], (each[4] or "")[: len(once)]) for each in found) == [
        (0, "number 0", 1, "succeeded", ""),
        (1, "number 1", 1, "failed", once),
        (1, "number 1", 2, "succeeded", ""),
        (2, "number 2", 1, "failed", "never"),
    ]


def test_a_span_of_a_sync_function_is_a_child_of_its_attempt(
    started: Local, spans: Receiver
) -> None:
    trace = run(started, "Traced", 1)

    (attempt,) = executed(spans, "Traced", trace)
    (work,) = spans.wait_for("work", trace)
    assert work.parent == attempt.id


def test_a_batch_is_one_span_with_an_event_for_each_attempt(
    started: Local, spans: Receiver
) -> None:
    trace = run(started, "Batched", 3)

    assert executed(spans, "Batched", trace) == []
    (batch,) = spans.wait_for("execute batch Batched", trace)
    assert batch.attributes.pop("run")
    assert {**batch.attributes, "run": ""} == {
        "fan_out": "Batched",
        "run": "",
        "subtasks": 3,
        "slots": 8,
    }
    events = [(e["index"], e["attempt"], e["outcome"]) for e in batch.events]
    assert sorted(events) == [
        (0, 1, "succeeded"),
        (1, 1, "failed"),
        (1, 2, "succeeded"),
        (2, 1, "failed"),
    ]
    errors = [event["error"] for event in batch.events if event["index"] == 2]
    assert errors == ["never"]
    assert all(0 <= float(event["seconds"]) < LONG for event in batch.events)
    assert {each.parent for each in spans.wait_for("work", trace)} == {batch.id}


def test_a_replay_makes_no_span_twice(started: Local, spans: Receiver) -> None:
    trace = run(started, "Replayed", 3)

    attempts = [
        (each.attributes["index"], each.attributes["attempt"])
        for each in executed(spans, "Replayed", trace)
    ]
    assert sorted(attempts) == [(0, 1), (1, 1), (1, 2), (2, 1)]
    assert len(spans.named("split Replayed", trace)) == 1
    assert len(spans.named("aggregate Replayed", trace)) == 1
    assert len(spans.wait_for("invocation-attempt Replayed/run", trace)) > 1


def test_handler_code_has_no_span_but_its_own_spans_are_in_the_trace(
    started: Local, spans: Receiver
) -> None:
    trace = run(started, "HandlerCode", 1)

    assert executed(spans, "HandlerCode", trace) == []
    (own,) = spans.wait_for("after the sleep", trace)
    eventually(lambda: len(spans.path_to(own)) > 1)
    assert spans.path_to(own)[1] == "invocation-attempt HandlerCode/runSubtask"


def test_a_worker_that_stops_sends_its_last_spans(
    started: Local, spans: Receiver
) -> None:
    never = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}
    with _elsewhere(started, spans.url, never, workers=2):
        trace = run(started, "Elsewhere", 2)
        before = spans.named("aggregate Elsewhere", trace)

    assert before == []
    assert len(executed(spans, "Elsewhere", trace)) == 3


def test_an_endpoint_that_does_not_answer_delays_neither_runs_nor_the_stop(
    started: Local,
) -> None:
    end = Event()
    with receiver(lambda: end.wait(LONG)) as silent:
        variables = {
            "OTEL_BSP_SCHEDULE_DELAY": "1",
            "PARALLELIZEWORK_GRACE_PERIOD": "1",
        }
        with _elsewhere(started, silent.url, variables):
            begin = monotonic()
            for _ in range(3):
                run(started, "Elsewhere", 8)
            took, begin = monotonic() - begin, monotonic()
        stopped = monotonic() - begin
        end.set()

    assert took < 10, "a run waits for no export, which has 10 s"
    assert stopped < 8, "calls in flight have 1 s, and the last spans too"


@contextmanager
def _client(started: Local) -> Generator[Client]:
    with Client(started.ingress, admin=started.admin) as client:
        yield client


@contextmanager
def _elsewhere(
    started: Local, endpoint: str, variables: Mapping[str, str], *, workers: int = 1
) -> Generator[None]:
    """Run another worker, which sends its spans to an endpoint."""
    port = Ports(0, 0, 0).chosen().worker
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{endpoint}/v1/traces",
        **variables,
    }
    target = f"{MODULE}:elsewhere"
    with (
        serve([target], port, workers=workers, environment=environment),
        Client(started.ingress, admin=started.admin) as client,
    ):
        client.register(f"http://127.0.0.1:{port}", force=True)
        yield
