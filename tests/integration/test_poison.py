"""Poison values and errors: the run ends within seconds, with a clear status.

The table has each kind of poison, at each point, with each way to execute a function.
All runs of the table execute at once. Each test then judges one of these runs.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from functools import partial
from http.client import HTTPConnection
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from parallelizework.local.dev import local
from parallelizework.local.ports import Ports

from .conftest import GIVEN, Server
from .misbehaving import Misbehaving, misbehaving
from .parallel_runs import End, Runs, Submission
from .poison.cells import STEPS, TASKS, Cell
from .poison.shapes import has_arisen as has_arisen_here
from .poison.table import CELLS, LARGE, LASTING_CELLS
from .poison.values import MIB
from .processes import eventually
from .targets import FAN_OUTS

Ends = dict[Cell, End]


def selected(request: pytest.FixtureRequest, cells: list[Cell]) -> list[Cell]:
    """Return the cells whose tests were selected."""
    wanted = {
        item.callspec.params.get("cell")
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    }
    return [cell for cell in cells if cell in wanted]


def is_well(server: Server) -> bool:
    """Whether the worker responds; True if the worker is on another machine."""
    if not server.worker:
        return True
    connection = HTTPConnection(urlsplit(server.worker).netloc, timeout=20)
    with closing(connection):
        connection.request("GET", "/health")
        return connection.getresponse().status == 200


def ends_of(
    server: Server, submissions: Iterable[Submission], at_once: int = 48
) -> list[End]:
    """Return the ends of runs; the worker must survive them."""
    ends = Runs(server).ends(submissions, at_once)
    assert is_well(server)
    return ends


@pytest.fixture(scope="module")
def ends(server: Server, request: pytest.FixtureRequest) -> Ends:
    cells = selected(request, CELLS)
    found = ends_of(server, [cell.submission for cell in cells])
    return dict(zip(cells, found, strict=True))


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_poison_value_or_error_ends_in_a_clear_status(
    server: Server, ends: Ends, cell: Cell
) -> None:
    assert cell.became(ends[cell]) in cell.allowed, ends[cell].text[:500]


def test_the_progress_of_each_run_with_poison_has_ended(
    server: Server, ends: Ends
) -> None:
    """This includes poison in a failure or an error. A refused task has no progress."""
    runs = {
        end.run: cell
        for cell, end in ends.items()
        # A run that succeeds soon has no record.
        if end.status not in (0, 200) and cell.at != "task"
    }

    def without_end() -> dict[str, Cell]:
        ended = '(value_utf8 not like \'%"state":"running"%\')'
        of_all = "select service_key from state where service_name = 'FanOutProgress'"
        rows = server.query(f"{of_all} and {ended}")
        known = {row["service_key"] for row in rows}
        return {run: cell for run, cell in runs.items() if run not in known}

    with suppress(AssertionError):
        eventually(lambda: not without_end())
    assert not without_end()


@pytest.fixture(scope="module")
def lasting_ends(server: Server, request: pytest.FixtureRequest) -> Ends:
    """The ends of runs that are cancelled as soon as their poison has arisen."""
    cells = selected(request, LASTING_CELLS)
    keys = [uuid4().hex for _ in cells]
    submissions = [
        Submission(cell.service, cell.body(key), partial(has_arisen, server, key))
        for cell, key in zip(cells, keys, strict=True)
    ]
    return dict(zip(cells, ends_of(server, submissions), strict=True))


def has_arisen(server: Server, key: str) -> bool:
    """Whether the poison with this key has arisen; False if no response is received."""
    if server.worker:
        return has_arisen_here(key)
    url = f"{server.ingress}/Executions/run"
    try:
        return httpx.post(url, json={"key": key}, timeout=5).json() > 0
    except httpx.TimeoutException:
        return False


@pytest.mark.parametrize("cell", LASTING_CELLS, ids=str)
def test_a_run_that_is_retried_without_limit_can_be_cancelled(
    server: Server, lasting_ends: Ends, cell: Cell
) -> None:
    assert cell.became(lasting_ends[cell]) in cell.allowed, lasting_ends[cell].text


SIZES_OF_ALL = {  # in MiB, by field of one task
    "task and split": {"filler": 17, "split": 18},
    "large task and split": {"filler": 30, "split": 28},
    "values and result": {"count": 2, "value": 14, "result": 30},
    "values and smaller result": {"count": 2, "value": 14, "result": 20},
    "many values and result": {"count": 8, "value": 2, "result": 20},
    "task and result": {"filler": 16, "result": 24},
    "subtask and value": {"split": 17, "value": 17},
}


@pytest.fixture(scope="module")
def large_ends(server: Server, request: pytest.FixtureRequest) -> Ends:
    cells = selected(request, LARGE)
    found = ends_of(server, [cell.submission for cell in cells], at_once=2)
    return dict(zip(cells, found, strict=True))


@pytest.mark.parametrize("cell", LARGE, ids=str)
def test_a_value_larger_than_a_message_is_a_413(
    server: Server, large_ends: Ends, cell: Cell
) -> None:
    assert cell.became(large_ends[cell]) in cell.allowed, large_ends[cell].text[:500]


@pytest.fixture(scope="module")
def together_ends(server: Server) -> dict[str, End]:
    submissions: list[Submission] = []
    for fields in SIZES_OF_ALL.values():
        sizes = {name: size for name, size in fields.items() if name != "filler"}
        task = {"filler": "x" * (fields.get("filler", 0) * MIB), **sizes}
        submissions.append(Submission("Sizes", json.dumps(task).encode()))
    return dict(zip(SIZES_OF_ALL, ends_of(server, submissions, at_once=2), strict=True))


@pytest.mark.parametrize("name", SIZES_OF_ALL)
def test_values_that_are_large_together_are_returned_or_a_413(
    server: Server, together_ends: dict[str, End], name: str
) -> None:
    assert together_ends[name].status in (200, 413), together_ends[name].text[:500]


def waits(server: Server, key: str) -> bool:
    """Whether the poison has arisen and all invocations only wait."""
    busy = "status not in ('backing-off', 'completed', 'scheduled', 'suspended')"
    try:
        return has_arisen_here(key) and not server.query(
            f"select id from sys_invocation where {busy}"
        )
    except httpx.HTTPStatusError:
        return False  # the server has panicked


@pytest.mark.parametrize(
    "cell",
    [
        Cell("ValueError", "execute", "sync"),
        Cell("ValueError", "execute", "code"),
        *(Cell("ValueError", at, "async") for at in STEPS),
    ],
    ids=str,
)
def test_a_retry_interval_of_ten_years_does_not_stop_the_server(
    cell: Cell, key: str
) -> None:
    """restate-server 1.7 panics repeatedly at an interval of more than two years."""
    pause = {"initial_retry_interval": "P3650D", "max_retry_interval": "P3650D"}
    task = {"kind": cell.kind, "at": cell.at, "key": key, "policy": pause}
    body = json.dumps(task).encode()
    with local([f"{FAN_OUTS}.poison:{cell.service}"], ports=Ports(0, 0, 0)) as started:
        server = Server(started.ingress, started.admin, worker=started.worker)
        submission = Submission(cell.service, body, partial(waits, server, key))

        [end] = Runs(server).ends([submission])

    # Restate itself retries handler code, and ignores such a long pause.
    allowed = (400, 409) if cell.way != "code" else (400, 409, 500)
    assert end.status in allowed, end


same_host = pytest.mark.skipif(GIVEN, reason="the worker cannot reach this host")


@pytest.fixture(scope="module")
def remote() -> Iterator[Misbehaving]:
    with misbehaving() as remote:
        yield remote


@pytest.fixture(scope="module")
def answered_ends(server: Server, remote: Misbehaving) -> dict[tuple[str, int], End]:
    """The ends of runs with three requests; the response to the second is poison."""
    submissions: dict[tuple[str, int], Submission] = {}
    path = f"{remote.url}/body?kind=application/json&hex="
    for kind, poison in TASKS.items():
        bodies = (b"[1]", poison, b"[1]")
        requests = [{"url": f"{path}{body.hex()}"} for body in bodies]
        for batch in (1, 4):
            policy = {"max_items_per_batch": batch}
            task = json.dumps({"requests": requests, "policy": policy}).encode()
            submissions[kind, batch] = Submission("HttpFanOut", task)
    return dict(zip(submissions, ends_of(server, submissions.values()), strict=True))


@same_host
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("kind", TASKS)
def test_poison_in_one_response_fails_no_other_request(
    server: Server,
    answered_ends: dict[tuple[str, int], End],
    kind: str,
    batch: int,
) -> None:
    end = answered_ends[kind, batch]

    assert end.status == 200, end
    answer = json.loads(end.text, parse_int=str)
    bodies = {each["index"]: each["body"] for each in answer["responses"]}
    failed = [each["index"] for each in answer["failures"]]
    assert (bodies["0"], bodies["2"]) == (["1"], ["1"])
    assert [*bodies.keys() - {"0", "2"}, *failed] == ["1"]


@pytest.fixture(scope="module")
def sent_ends(server: Server, remote: Misbehaving) -> dict[str, End]:
    """The ends of runs with two requests; the second sends poison."""
    head = json.dumps({"url": f"{remote.url}/echo", "method": "POST"})[:-1].encode()
    fine = json.dumps({"url": f"{remote.url}/echo"}).encode()
    submissions: list[Submission] = []
    for poison in TASKS.values():
        request = head + b', "json": ' + poison + b"}"
        body = b'{"requests": [' + fine + b", " + request + b"]}"
        submissions.append(Submission("HttpFanOut", body))
    return dict(zip(TASKS, ends_of(server, submissions), strict=True))


@same_host
@pytest.mark.parametrize("kind", TASKS)
def test_poison_in_the_body_of_a_request_is_refused_or_sent(
    server: Server, sent_ends: dict[str, End], kind: str
) -> None:
    assert sent_ends[kind].status in (200, 400), sent_ends[kind]
