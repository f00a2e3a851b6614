"""A real Prometheus reads the metrics of a worker with two processes."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from parallelizework.local.dev import local
from parallelizework.local.ports import Ports
from tests.docs.page import File, pages
from tests.integration.conftest import suspend_at_each_await
from tests.integration.processes import LONG, eventually
from tests.ports import free_ports

from .prometheus import ALERTS, ROOT, Prometheus, prometheus, promtool

DASHBOARD = ROOT / "deploy" / "grafana" / "parallelizework.json"
FAN_OUTS = f"{Path(__file__).parent}/fan_outs.py"


@dataclass(frozen=True)
class Worker:
    """A worker with metrics, and the server that calls it."""

    ingress: str
    metrics: str
    pid: int

    def run(self, service: str, task: object) -> httpx.Response:
        return httpx.post(f"{self.ingress}/{service}/run", json=task, timeout=LONG)

    @property
    def text(self) -> str:
        return httpx.get(f"http://{self.metrics}/metrics").raise_for_status().text

    @property
    def samples(self) -> dict[tuple[str, ...], float]:
        """The values by name and by the values of the labels, in alphabetical order."""
        families = text_string_to_metric_families(self.text)
        samples = [sample for family in families for sample in family.samples]
        return {
            (each.name, *(each.labels[name] for name in sorted(each.labels))): (
                each.value
            )
            for each in samples
        }

    def of(self, name: str, fan_out: str) -> dict[str, float]:
        """The values of a metric of a fan-out that are not 0, by the other labels."""
        return {
            " ".join(rest): value
            for (found, owner, *rest), value in self.samples.items()
            if (found, owner) == (f"parallelizework_{name}", fan_out) and value
        }

    @property
    def processes(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split() if _is_worker(pid)]


def _is_worker(pid: str) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return False


@pytest.fixture(scope="module")
def monitored(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Worker, Prometheus]]:
    """A worker whose runs have ended, and a Prometheus that has read its metrics."""
    ports, [port] = Ports(0, 0, 0).chosen(), free_ports(1)
    metrics, node = f"127.0.0.1:{port}", f"127.0.0.1:{ports.node}"
    environment = {"PARALLELIZEWORK_METRICS_BIND": str(port)}
    jobs = {"parallelizework": metrics, "restate": node}
    folder = tmp_path_factory.mktemp("prometheus")
    with (
        local([FAN_OUTS], ports=ports, workers=2, environment=environment) as started,
        prometheus(folder, jobs) as reader,
    ):
        suspend_at_each_await(started)  # nothing that is replayed is counted again
        worker = Worker(started.ingress, metrics, started.worker_process.process.pid)
        # Prometheus sees an increase only if it has read the 0 before.
        eventually(lambda: reader.value("count(up == 1)") == len(jobs))
        assert worker.run("Metered", 40).json() == 36
        assert worker.run("MeteredBatches", 40).json() == 36
        assert worker.run("MeteredFailure", 1).status_code == 418
        assert worker.run("MeteredWaits", 3).json() == 0
        assert worker.run("MeteredCode", 3).json() == 3
        ended = "min(increase(parallelizework_subtasks_total[1m]) > 0)"
        eventually(lambda: reader.value(ended) is not None)
        yield worker, reader


@pytest.fixture
def worker(monitored: tuple[Worker, Prometheus]) -> Worker:
    return monitored[0]


@pytest.fixture
def reader(monitored: tuple[Worker, Prometheus]) -> Prometheus:
    return monitored[1]


@pytest.mark.parametrize("fan_out", ["Metered", "MeteredBatches"])
def test_counters_are_exactly_what_the_worker_has_executed(
    worker: Worker, fan_out: str
) -> None:
    subtasks = {"succeeded": 36, "failed": 4}
    attempts = {"execute succeeded": 36, "execute failed": 8}
    steps = {"split succeeded": 1, "aggregate succeeded": 1}
    sizes = {"": 40} if fan_out == "MeteredBatches" else {}

    assert worker.of("subtasks_total", fan_out) == subtasks
    assert worker.of("attempts_total", fan_out) == attempts | steps
    assert worker.of("attempt_seconds_count", fan_out) == {
        "execute": 44,
        "split": 1,
        "aggregate": 1,
    }
    assert worker.of("runs_started_total", fan_out) == {"": 1}
    assert worker.of("runs_total", fan_out) == {"succeeded": 1}
    assert worker.of("batch_subtasks_sum", fan_out) == sizes


def test_a_failed_run_and_ended_waits_are_counted(worker: Worker) -> None:
    assert worker.of("runs_total", "MeteredFailure") == {"failed": 1}
    assert worker.of("subtasks_total", "MeteredFailure") == {"failed": 1}
    assert worker.of("waits_started_total", "MeteredWaits") == {"": 3}
    assert worker.of("waits_total", "MeteredWaits") == {"timed_out": 3}
    assert worker.of("subtasks_total", "MeteredWaits") == {"timed_out": 3}


def test_handler_code_is_counted_once_and_has_no_duration(worker: Worker) -> None:
    attempts = worker.of("attempts_total", "MeteredCode")
    durations = worker.of("attempt_seconds_count", "MeteredCode")

    assert attempts["execute succeeded"] == 3
    assert "execute suspended" not in attempts
    assert "execute" not in durations
    assert worker.of("subtasks_total", "MeteredCode") == {"succeeded": 3}


def test_nothing_is_in_flight_after_the_runs(worker: Worker) -> None:
    gauges = ("subtasks_in_flight", "slots_leased", "slots_busy")

    assert not any(worker.of(name, "MeteredBatches") for name in gauges)
    assert worker.of("threads_limit", "Metered") == {"": 512}  # of two processes


def test_a_killed_process_lowers_no_counter(worker: Worker, tmp_path: Path) -> None:
    before = worker.samples

    assert worker.run("MeteredKill", str(tmp_path / "killed")).json() == 1
    killed = set(worker.processes)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(set(worker.processes) - killed) == 2)
    eventually(lambda: worker.of("threads_limit", "Metered") == {"": 512})

    after = worker.samples
    counters = [key for key in before if key[0].endswith(("_total", "_count", "_sum"))]
    assert all(after[key] >= before[key] for key in counters)
    assert worker.of("subtasks_total", "MeteredKill") == {"succeeded": 1}
    assert worker.of("slots_busy", "MeteredKill") == {}
    assert worker.run("Metered", 40).json() == 36
    assert worker.of("subtasks_total", "Metered") == {"succeeded": 72, "failed": 8}


def dashboard_queries() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


@pytest.mark.parametrize("query", dashboard_queries())
def test_each_query_of_the_dashboard_has_data(reader: Prometheus, query: str) -> None:
    query = query.replace("$fan_out", ".*").replace("$__rate_interval", "1m")

    assert "$" not in query
    eventually(lambda: bool(reader.query(query)), 30)


def test_the_dashboard_lists_the_fan_outs(reader: Prometheus) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    variables = {each["name"]: each for each in dashboard["templating"]["list"]}
    metric, label = "parallelizework_subtasks_total", "fan_out"
    assert variables["fan_out"]["definition"] == f"label_values({metric}, {label})"

    found = {series["metric"][label] for series in reader.query(metric)}

    assert {"Metered", "MeteredBatches"} <= found


def test_prometheus_evaluates_the_alerts(reader: Prometheus) -> None:
    eventually(lambda: all(rule["health"] != "unknown" for rule in reader.rules()))

    assert {rule["name"]: rule["health"] for rule in reader.rules()} == {
        "ParallelizeworkSubtasksFail": "ok",
        "ParallelizeworkWorkerDown": "ok",
        "ParallelizeworkThreadsBusy": "ok",
        "ParallelizeworkNoProgress": "ok",
    }


def test_each_alert_fires_when_its_condition_is_true() -> None:
    promtool("test", "rules", Path(__file__).with_name("alerts_test.yaml"))


def test_the_configuration_in_the_documentation_is_valid(tmp_path: Path) -> None:
    file = "prometheus.yml"
    name = "how-to/monitor-with-prometheus"
    [page] = [page for page in pages(ROOT) if page.name == name]
    [text] = [
        step.text
        for step in page.steps()
        if isinstance(step, File) and step.name == file
    ]
    shutil.copy(ALERTS, tmp_path)
    tmp_path.joinpath(file).write_text(text)

    promtool("check", "config", tmp_path / file)


def test_the_metrics_follow_the_rules_of_prometheus(worker: Worker) -> None:
    promtool("check", "metrics", text=worker.text)
