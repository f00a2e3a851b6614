"""Errors of the client and the command line when a server or worker is unreachable."""

import json
import os
import subprocess
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from parallelizework import Policy
from parallelizework.client import Client
from parallelizework.errors import RunFailed, Unreachable
from parallelizework.local.dev import Local, local
from parallelizework.local.ports import Ports
from parallelizework.local.worker import serve
from parallelizework.messages import VIRTUAL_OBJECTS

from .conftest import Server
from .fan_outs.ledger import repair
from .fan_outs.trials import Trial, trials
from .processes import LONG, eventually, output_of, running
from .test_cli import addresses
from .test_dev import FAN_OUTS

pytestmark = pytest.mark.once

Fault = Callable[[], tuple[int, dict[str, str], bytes] | None]


@contextmanager
def proxy(to: str, fault: Fault) -> Generator[str]:
    """A proxy that answers with a fault of its own, where there is one, for reads."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            own = fault()
            if not own:
                answer = httpx.get(to + self.path, timeout=LONG)
                headers = {
                    name: answer.headers[name]
                    for name in ("content-type", "x-restate-error-source")
                    if name in answer.headers
                }
                own = answer.status_code, headers, answer.content
            self._answer(*own)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {"content-type": "application/json"}
            url = to + self.path
            answer = httpx.post(url, content=body, headers=headers, timeout=LONG)
            self._answer(answer.status_code, {}, answer.content)

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


BAD_GATEWAY = (502, {"content-type": "text/html"}, b"<h1>502 Bad Gateway</h1>")
NO_LEADER = (
    503,
    {"x-restate-error-source": "ingress"},
    b'{"code": 503, "message": "no leader", "source": "ingress"}',
)


def test_a_client_retries_after_errors_of_a_proxy(server: Server) -> None:
    faults = [BAD_GATEWAY, NO_LEADER, BAD_GATEWAY]
    with (
        proxy(server.ingress, lambda: faults.pop() if faults else None) as ingress,
        Client(ingress, server.admin) as client,
    ):
        assert client.run("Squares", 3) == [0, 1, 4]

    assert not faults


@pytest.mark.parametrize("fault", [BAD_GATEWAY, NO_LEADER])
def test_an_unreachable_server_behind_a_proxy_raises_unreachable(
    server: Server, fault: tuple[int, dict[str, str], bytes]
) -> None:
    with (
        proxy(server.ingress, lambda: fault) as ingress,
        Client(ingress, server.admin) as client,
        pytest.raises(Unreachable, match=f"answered with {fault[0]}"),
    ):
        client.run("Squares", 3)


@pytest.mark.parametrize("code", [502, 503, 504])
def test_a_run_that_failed_with_a_proxy_status_is_a_failed_run(
    server: Server, code: int
) -> None:
    task = {"count": 1, "code": code, "length": 1, "policy": {"race": True}}

    run = server.send("Loud", task)["invocationId"]
    with Client(server.ingress, server.admin) as client, pytest.raises(RunFailed) as e:
        client.attach("Loud", run).result(60)

    assert e.value.status == code


def test_a_run_without_its_worker_keeps_its_counts_and_is_reported(key: str) -> None:
    targets = [f"{FAN_OUTS}.waiting:idling"]
    with local(targets, ports=Ports(0, 0, 0)) as started:
        where = addresses(Server(started.ingress, started.admin))
        with Client(started.ingress, started.admin) as client:
            run = client.submit("Idling", {"key": key, "count": 500, "free": 0})
            eventually(lambda: run.progress().succeeded >= 20)
            _kill(started.processes[1])
            eventually(lambda: "Idling" in run.progress().unanswered)

            progress = run.progress()
            listed = client.recent(5)[0].progress
            counts = f"{progress.succeeded} of 500 succeeded"
            with running("watch", run.id, environment=where) as watch:
                watched = watch.wait_for("no worker answers for ")
            table = output_of("list", where=where)

            repair(key)
            with _again(targets, started.worker):
                assert run.result(LONG) == 500
        assert (progress.state, progress.total) == ("running", 500)
        assert (listed.state, listed.succeeded) == ("running", progress.succeeded)
        assert counts in watched
        assert counts in table
        assert "no worker answers for " in table


def _kill(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait(LONG)


def _again(targets: list[str], url: str) -> AbstractContextManager[object]:
    """A worker at the address of a stopped worker."""
    return serve(targets, int(url.rpartition(":")[2]), environment=os.environ)


def test_a_run_without_any_worker_is_reported_at_once(key: str) -> None:
    with local([f"{FAN_OUTS}.values:squares"], ports=Ports(0, 0, 0)) as started:
        where = addresses(Server(started.ingress, started.admin))
        _kill(started.processes[1])

        with running("run", "Squares", "3", environment=where) as run:
            line = run.wait_for("no worker answers for Squares")

        assert line.startswith("starting: ")
        assert "parallelizework doctor" in line


@contextmanager
def _without_progress(target: str) -> Generator[Local]:
    """A worker of a fan-out; no worker answers for `FanOutProgress`."""
    other = Ports(0, 0, 0).chosen().worker
    with local([target], ports=Ports(0, 0, 0)) as started:
        with (
            serve([f"{FAN_OUTS}.values:lines"], other, environment=os.environ),
            Client(started.ingress, started.admin) as client,
        ):
            client.register(f"http://127.0.0.1:{other}")
        yield started


def test_runs_continue_without_counts_when_no_worker_serves_progress() -> None:
    with _without_progress(f"{FAN_OUTS}.values:squares") as started:
        where = addresses(Server(started.ingress, started.admin))

        # A run that succeeds within half a second would send no counts.
        run = output_of("run", "Squares", "5000", where=where)
        away = "no worker answers for FanOutProgress"
        eventually(lambda: away in output_of("list", where=where))
        as_json = output_of("list", "--json", where=where)

        assert "[0, 1, 4, " in run
        listed = json.loads(as_json.splitlines()[-1])
        assert [each["state"] for each in listed] == ["succeeded"]
        with Client(started.ingress, started.admin) as client:
            client.register(started.worker, force=True)
            eventually(lambda: client.recent(1)[0].progress.succeeded == 5_000)


def test_the_end_of_a_run_is_exact_when_no_worker_serves_progress(key: str) -> None:
    """Its updates are in the journal of the run."""
    target, bad = f"{FAN_OUTS}.trials:trials", [1, 400]
    policy = Policy(tolerated_failure_count=2)
    task = Trial(key=key, count=500, bad=bad, policy=policy)
    with (
        _without_progress(target) as started,
        Client(started.ingress, started.admin) as client,
    ):
        run = client.submit(trials, task)
        run.result(LONG)
        progress, failures = run.progress(), run.failures()

        client.register(started.worker, force=True)
        eventually(lambda: client.recent(1)[0].progress.succeeded == 498)
        arrived = run.progress()

    assert (progress.succeeded, progress.failed, progress.total) == (498, 2, 500)
    assert (progress.state, progress.completion_reason) == (
        "succeeded",
        "ALL_COMPLETED",
    )
    assert sorted(each.index for each in failures) == bad
    times = {"started", "updated", "rate"}
    assert arrived.model_dump(exclude=times) == progress.model_dump(exclude=times)


def test_the_end_of_a_run_is_exact_on_a_server_that_stores_no_journals(
    key: str,
) -> None:
    without = {"RESTATE_DEFAULT_JOURNAL_RETENTION": "0s"}
    task = Trial(key=key, count=9, bad=[1], policy=Policy(tolerated_failure_count=1))
    target = f"{FAN_OUTS}.trials:trials"
    with (
        local([target], ports=Ports(0, 0, 0), environment=without) as started,
        Client(started.ingress, started.admin) as client,
    ):
        for _ in range(10):
            run = client.submit(trials, task)
            run.result(LONG)
            progress = run.progress()

            assert (progress.succeeded, progress.failed, progress.total) == (8, 1, 9)
            assert [each.index for each in run.failures()] == [1]


def test_a_run_of_a_fan_out_that_nobody_serves_any_more_is_listed() -> None:
    with (
        local([f"{FAN_OUTS}.values:squares"], ports=Ports(0, 0, 0)) as started,
        Client(started.ingress, started.admin) as client,
    ):
        run = client.submit("Squares", 3)
        run.result(60)
        assert run.progress().succeeded == 3
        deployments = f"{started.admin}/deployments"
        [deployment] = httpx.get(deployments).json()["deployments"]
        url = f"{deployments}/{deployment['id']}?force=true"
        httpx.delete(url).raise_for_status()

        [listed] = client.recent(20)

        assert (listed.run, listed.progress.succeeded) == (run.id, 3)


def test_register_and_doctor_warn_that_two_addresses_share_no_work() -> None:
    targets, other = [f"{FAN_OUTS}.values:squares"], Ports(0, 0, 0).chosen().worker
    with (
        local(targets, ports=Ports(0, 0, 0)) as started,
        serve(targets, other, environment=os.environ),
    ):
        where = addresses(Server(started.ingress, started.admin))
        url = f"http://127.0.0.1:{other}"

        register = output_of("register", url, where=where)
        again = output_of("register", url, where=where)
        doctor = output_of("doctor", where=where)

    services = ", ".join(sorted({*VIRTUAL_OBJECTS, "Squares"}))
    moved = f"{started.worker} receives no new calls; {url} now serves {services}"
    assert moved in register
    assert "put a load balancer in front of the workers" in register
    assert f"{url} was registered before" in again
    assert f"idle   serves       {moved}" in doctor
    assert f"ok     serves       {url} serves {services}" in doctor


def test_registering_an_address_without_http_2_suggests_no_option_of_restate() -> None:
    with (
        local(["FanOutWorker"], ports=Ports(0, 0, 0)) as started,
        proxy(started.ingress, lambda: BAD_GATEWAY) as http1,
    ):
        where = addresses(Server(started.ingress, started.admin))
        register = output_of("register", http1, where=where, code=1)

    assert "it does not speak HTTP/2" in register
    assert "--use-http1.1" not in register
