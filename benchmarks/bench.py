"""`make bench`: measure on this machine; write a table, JSON and a plot.

Compare only numbers of the same run. Absolute rates differ between machines. On a
shared machine, they also differ from minute to minute.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from benchmarks.bulk import ALLOWED, answering, fan_out, gather, rows_file, xargs
from benchmarks.peers import PEERS, Peer
from parallelizework.client import Client, healthy
from parallelizework.local.dev import Local, local
from parallelizework.local.ports import Ports

HERE = Path(__file__).parent
PLOT = HERE.parent / "docs" / "explain" / "benchmarks.png"
FAN_OUTS = ["plain", "batched", "sharded", "sharded_batched", "sleeping"]
RUNS = {  # the numbers of subtasks for each service
    "Plain": [100, 1_000, 5_000, 10_000, 100_000],
    "Batched": [100, 1_000, 10_000, 100_000],
    "Sharded": [100, 1_000, 10_000],
    "ShardedBatched": [100_000, 1_000_000],
    "SeedRpc": [100, 1_000, 5_000],
    "SeedRuns": [100, 1_000, 5_000],
    "Sleeping": [1_000, 10_000],
}
BULK = [1_000, 5_000]
DURABLE = {"HTTP: HttpFanOut": 1, "HTTP: HttpFanOut, batched": 64}  # batch sizes
NOT_DURABLE = {"HTTP: httpx and gather": gather, "HTTP: xargs and curl": xargs}
IN_FILE = "HTTP: HttpFanOut, batched, rows in a file"
PEER_RUNS = [100, 1_000, 10_000]
LONGEST = 1_800  # seconds; a run that takes longer has failed


@dataclass(frozen=True)
class Row:
    """One run: `count` subtasks of one kind."""

    name: str
    count: int
    seconds: float
    cpu_ms: float | None = None
    worker_mib: int | None = None
    server_mib: int | None = None

    @property
    def rate(self) -> float:
        """Subtasks per second."""
        return self.count / self.seconds


@dataclass(frozen=True)
class Latency:
    """The durations of requests with four subtasks, in milliseconds."""

    name: str
    clients: int
    p50: float
    p99: float


def main() -> None:
    """Measure; print tables; write `results.json` and the plot of the docs."""
    rows, latencies = on_restate()
    in_bulk = requests_in_bulk()
    rows += [row for peer in PEERS for row in measured_peer(peer)]
    rows.sort(key=lambda row: row.name)
    plot(rows, PLOT)
    rows += in_bulk
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {sys.version[:6]}"
    print(f"\n{machine}\n\n{table(rows)}\n\n{latency_table(latencies)}")
    results = {
        "machine": machine,
        "rows": [asdict(row) | {"rate": row.rate} for row in rows],
        "latencies": [asdict(latency) for latency in latencies],
    }
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")


def on_restate() -> tuple[list[Row], list[Latency]]:
    """Measure the systems on Restate: one server, and a worker for each system."""
    targets = [f"{HERE / 'fan_outs.py'}:{name}" for name in FAN_OUTS]
    with local(targets, ports=Ports(0, 0, 0)) as started, seed(started) as seed_worker:
        worker, server = started.processes[1].pid, started.processes[0].pid
        processes = dict.fromkeys(RUNS, worker)
        processes |= {"SeedRpc": seed_worker, "SeedRuns": seed_worker}
        for name in ("Plain", "SeedRpc"):
            post(started, name, 500)  # warm up
        latencies = [
            latency(started, name, clients)
            for clients in (1, 16)
            for name in ("Plain", "SeedRpc")
        ]
        # Sorted by size, so that compared runs execute within the same minutes.
        runs = sorted(
            (count, name) for name, counts in RUNS.items() for count in counts
        )
        rows = [
            measured(name, count, partial(post, started, name), processes[name], server)
            for count, name in runs
        ]
    return rows, latencies


@contextmanager
def seed(started: Local) -> Generator[int, None, None]:
    """Run a worker with the fan-outs of `seed.py`; yield its process id."""
    port = Ports(0, 0, 0).chosen().worker
    process = subprocess.Popen([sys.executable, HERE / "seed.py", str(port)])
    try:
        while not healthy(f"http://127.0.0.1:{port}/health"):
            time.sleep(0.1)
        with Client(admin=started.admin) as client:
            client.register(f"http://127.0.0.1:{port}")
        yield process.pid
    finally:
        process.kill()
        process.wait()


def requests_in_bulk() -> list[Row]:
    """Measure HTTP requests, durable and not durable, to a server on this machine."""
    rows: list[Row] = []
    with (
        answering() as url,
        TemporaryDirectory() as folder,
        local(
            ["HttpFanOut"],
            ports=Ports(0, 0, 0),
            environment=ALLOWED | {"PARALLELIZEWORK_HTTP_FOLDER": folder},
        ) as started,
    ):
        server, worker = (process.pid for process in started.processes)
        for count in BULK:
            for name, batch in DURABLE.items():
                run = partial(fan_out(started, batch), url)
                rows.append(measured(name, count, run, worker, server))
            for name, send in NOT_DURABLE.items():
                start = time.perf_counter()
                send(url, count)
                rows.append(Row(name, count, time.perf_counter() - start))
                print(rows[-1], file=sys.stderr, flush=True)
        run = partial(rows_file(started, 64, Path(folder)), url)
        rows.append(measured(IN_FILE, 100_000, run, worker, server))
    return sorted(rows, key=lambda row: row.name)


def measured(
    name: str, count: int, run: Callable[[int], object], worker: int, server: int
) -> Row:
    """Run once; return the time, the CPU time of the worker, and the peak memory."""
    for process in (worker, server):
        Path(f"/proc/{process}/clear_refs").write_text("5")  # reset the peak
    cpu = cpu_seconds(worker)
    start = time.perf_counter()
    run(count)
    row = Row(
        name,
        count,
        time.perf_counter() - start,
        (cpu_seconds(worker) - cpu) / count * 1_000,
        peak_mib(worker),
        peak_mib(server),
    )
    print(row, file=sys.stderr, flush=True)
    return row


def measured_peer(peer: Peer) -> list[Row]:
    """Measure the same work on another system, if it is installed."""
    missing = peer.missing()
    if missing:
        print(f"{peer.name} is skipped: {missing}", file=sys.stderr)
        return []
    rows: list[Row] = []
    with peer.started() as run:
        checked(run, 100)
        for count in PEER_RUNS:
            start = time.perf_counter()
            checked(run, count)
            rows.append(Row(peer.name, count, time.perf_counter() - start))
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def checked(run: Callable[[int], int], count: int) -> None:
    """Run, and check that no subtask is lost or counted twice."""
    total = run(count)
    assert total == count * (count - 1) // 2, f"{total} is wrong for {count}"


def post(started: Local, name: str, count: int) -> None:
    """Run a fan-out on Restate, and check its sum."""

    def run(count: int) -> int:
        url = f"{started.ingress}/{name}/run"
        answer = httpx.post(url, json=count, timeout=LONGEST)
        return answer.raise_for_status().json()

    checked(run, count)


def latency(started: Local, name: str, clients: int, requests: int = 200) -> Latency:
    """Measure requests of four subtasks with this number of clients."""

    def one(_request: int) -> float:
        start = time.perf_counter()
        client.post(url, json=4).raise_for_status()
        return (time.perf_counter() - start) * 1_000

    url = f"{started.ingress}/{name}/run"
    with httpx.Client(timeout=60) as client, ThreadPoolExecutor(clients) as pool:
        times = list(pool.map(one, range(requests * clients // 4 + requests)))
    cuts = statistics.quantiles(times, n=100)
    return Latency(name, clients, cuts[49], cuts[98])


def cpu_seconds(process: int) -> float:
    """Return the CPU time of a process in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(process: int) -> int:
    """Return the peak memory of a process."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def table(rows: Sequence[Row]) -> str:
    """Return the rows as Markdown."""
    lines = [
        "| what | subtasks | seconds | subtasks/s | worker CPU ms/subtask "
        "| worker MiB | server MiB |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for row in rows:
        cpu = "" if row.cpu_ms is None else f"{row.cpu_ms:.2f}"
        lines.append(
            f"| {row.name} | {row.count:,} | {row.seconds:.2f} | {row.rate:,.0f} "
            f"| {cpu} | {row.worker_mib or ''} | {row.server_mib or ''} |"
        )
    return "\n".join(lines)


def latency_table(latencies: Sequence[Latency]) -> str:
    """Return the latencies as Markdown."""
    lines = [
        "| four subtasks | clients | p50 ms | p99 ms |",
        "| --- | --: | --: | --: |",
    ]
    lines += [
        f"| {each.name} | {each.clients} | {each.p50:.1f} | {each.p99:.1f} |"
        for each in latencies
    ]
    return "\n".join(lines)


def plot(rows: Sequence[Row], file: Path) -> None:
    """Plot seconds over subtasks, both logarithmic."""
    import matplotlib as mpl  # noqa: PLC0415 - only `make bench` installs it

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for name in dict.fromkeys(row.name for row in rows):
        points = [row for row in rows if row.name == name]
        axes.loglog(
            [row.count for row in points],
            [row.seconds for row in points],
            "o-",
            label=name,
        )
    axes.set(xlabel="subtasks", ylabel="seconds", title="One run of no-op subtasks")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=120)


if __name__ == "__main__":
    main()
