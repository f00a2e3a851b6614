"""Metrics: their port, their gauges during an execution, and their documentation."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client import CollectorRegistry

from parallelizework import FanOut
from parallelizework.errors import PortInUse, SettingsError, StartError
from parallelizework.headers import SubtaskId
from parallelizework.metrics import threads as thread_metrics
from parallelizework.metrics.observer import MetricsObserver
from parallelizework.metrics.port import metrics_port
from parallelizework.metrics.threads import ThreadMetrics, pools_of
from parallelizework.metrics.worker_metrics import WorkerMetrics
from parallelizework.observation.observed import ObservedAttempt, ObservedBatch
from parallelizework.settings import Settings
from tests.docs.page import ROOT
from tests.ports import free_ports

PAGE = ROOT / "docs" / "how-to" / "monitor-with-prometheus.md"
VARIABLE = "PARALLELIZEWORK_METRICS_BIND"


def split(count: int) -> list[int]:
    return list(range(count))


def aggregate(values: list[int]) -> int:
    return sum(values)


class Hanging:
    def __init__(self) -> None:
        self.free = threading.Event()

    def __call__(self, number: int) -> int:
        self.free.wait(60)
        return number


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    function = Hanging()
    yield function
    function.free.set()


def observer(registry: CollectorRegistry) -> MetricsObserver:
    metrics = WorkerMetrics(registry)
    return MetricsObserver(metrics, ThreadMetrics(metrics.threads, {}))


def attempt(*, is_in_batch: bool = False) -> ObservedAttempt:
    return ObservedAttempt(
        service="Sum",
        role="execute",
        function="square",
        number=1,
        subtask_id=lambda: SubtaskId("inv_1", 1),
        invocation="inv_2",
        is_in_batch=is_in_batch,
    )


def gauges(registry: CollectorRegistry) -> tuple[float | None, ...]:
    """Subtasks in flight, slots leased, slots busy."""
    names = ("subtasks_in_flight", "slots_leased", "slots_busy")
    labels = {"fan_out": "Sum"}
    return tuple(
        registry.get_sample_value(f"parallelizework_{name}", labels) for name in names
    )


@pytest.mark.parametrize(
    ("value", "bind"),
    [
        ("9464", "127.0.0.1:9464"),
        (":9464", "127.0.0.1:9464"),
        ("0.0.0.0:0", "0.0.0.0:0"),
        ("[::1]:9464", "[::1]:9464"),
        ("", None),
    ],
)
def test_a_port_alone_is_a_port_on_loopback(
    monkeypatch: pytest.MonkeyPatch, value: str, bind: str | None
) -> None:
    monkeypatch.setenv(VARIABLE, value)

    assert Settings().metrics_bind == bind


@pytest.mark.parametrize("value", ["localhost", "localhost:", "1:65536", "a:-1"])
def test_an_invalid_port_is_an_error_in_one_line(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(VARIABLE, value)

    with pytest.raises(SettingsError) as error:
        Settings()

    assert f"{VARIABLE}={value}: " in str(error.value)
    assert "set PORT or HOST:PORT, such as 9464" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_port_in_use_is_an_error_that_names_the_variable(
    registry: CollectorRegistry,
) -> None:
    [port] = free_ports(1)
    bind = f"127.0.0.1:{port}"
    with metrics_port(bind, registry):
        assert httpx.get(f"http://{bind}/metrics").status_code == 200
        with pytest.raises(
            PortInUse, match=f"{bind} is in use: choose another {VARIABLE}"
        ):
            metrics_port(bind, registry).__enter__()


def test_an_address_of_another_machine_is_an_error(registry: CollectorRegistry) -> None:
    with pytest.raises(StartError, match=f"192.0.2.1:0: .*choose another {VARIABLE}"):
        metrics_port("192.0.2.1:0", registry).__enter__()


def test_a_worker_without_metrics_does_not_import_prometheus() -> None:
    code = "import sys, parallelizework.serving.worker as worker;"
    code += "print('prometheus_client' in sys.modules, 'restate' in sys.modules)"

    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert ended.stdout == "False True\n"


def test_a_call_of_one_subtask_has_one_slot(registry: CollectorRegistry) -> None:
    observes = observer(registry)

    with observes.attempt(attempt()):
        assert gauges(registry) == (1, 1, 1)

    assert gauges(registry) == (0, 0, 0)


def test_a_batch_leases_slots_that_only_its_attempts_use(
    registry: CollectorRegistry,
) -> None:
    observes = observer(registry)
    batch = ObservedBatch(service="Sum", run="inv_1", subtasks=100, slots=8)

    with observes.batch(batch), observes.attempt(attempt(is_in_batch=True)):
        assert gauges(registry) == (100, 8, 1)

    assert gauges(registry) == (0, 0, 0)


def test_an_error_of_an_attempt_releases_its_slot(registry: CollectorRegistry) -> None:
    observes = observer(registry)

    with pytest.raises(ValueError, match="no"), observes.attempt(attempt()):
        raise ValueError("no")

    assert gauges(registry) == (0, 0, 0)


@pytest.mark.anyio
async def test_a_function_that_hangs_is_abandoned_until_it_ends(
    registry: CollectorRegistry, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_metrics, "_TICK", 0.001)
    hangs = FanOut(
        "Hangs", split=split, execute=hanging, aggregate=aggregate, max_threads=3
    )
    gauges = WorkerMetrics(registry).threads
    metrics = ThreadMetrics(gauges, pools_of([hangs]))

    async def until(busy: int, abandoned: int) -> None:
        names = ("busy", "abandoned", "limit")
        labels = {"fan_out": "Hangs"}
        async with asyncio.timeout(60):
            while [  # noqa: ASYNC110 - a timer and a thread change them
                registry.get_sample_value(f"parallelizework_threads_{name}", labels)
                for name in names
            ] != [busy, abandoned, 3]:
                await asyncio.sleep(0.001)

    await until(busy=0, abandoned=0)
    metrics.watch()
    assert hangs.executes
    execution = asyncio.create_task(hangs.executes.function(1))
    await until(busy=1, abandoned=0)
    execution.cancel()
    await until(busy=0, abandoned=1)
    hanging.free.set()
    await until(busy=0, abandoned=0)


def test_the_page_lists_all_metrics_and_no_other(registry: CollectorRegistry) -> None:
    WorkerMetrics(registry)
    defined = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in registry.collect()
    }

    rows = PAGE.read_text().partition("## All metrics")[2].splitlines()

    assert {
        row.split("`")[1] for row in rows if row.startswith("| `parallelizework_")
    } == defined
