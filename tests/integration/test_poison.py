"""Poison: whatever arises in a run, the run ends within seconds, with a clear status.

One table: each kind of poison, at each point where it can arise, in each way in which a
function is executed. All runs of the table are submitted side by side; each test then
judges one of them.
"""

import json
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from parallelizework.local.dev import local
from parallelizework.local.ports import Ports

from . import fan_outs_poison
from .conftest import GIVEN, Server
from .fan_outs_poison import (
    ERRORS,
    LEVELS,
    MIB,
    NUMBER,
    RETRIED,
    SIZES,
    UNFIT,
    VALUES,
    was_entered,
)
from .misbehaving import Misbehaving, misbehaving
from .processes import eventually
from .side_by_side import End, Order, Runs

_TOLERANT = {"tolerated_failure_percentage": 100}
_BATCH = {"max_items_per_batch": 16}
_LASTING = {"max_attempts": 1_000_000, "initial_retry_interval": 0.1}

EXECUTED = ("sync", "async", "code", "executor", "sync batch", "async batch")
SHARDED = ("shard", "expand", "expanded item", "failing expanded item", "combine")
STEPS = ("split", "expand", "combine", "aggregate")
HARMLESS = {
    "150 levels",
    "NaN",
    "infinity",
    "NaN in a dict",
    "infinity in a dict",
}
HARMFUL = {
    *UNFIT,
    *(kind for kind in VALUES["Model"] if kind.startswith(("None", "wrong"))),
    *("5000 levels", "bytes", "cycle", "object", "unshowable object", "exception"),
}
TASKS: dict[str, bytes] = {
    **{f"{levels} levels": b"[" * levels + b"]" * levels for levels in LEVELS},
    "4301 digits": b"1" + b"0" * 4_300,
    "10000 digits": b"1" + b"0" * 9_999,
    "NaN in a dict": b'{"x": NaN}',
    "surrogate": b'"a\\ud800b"',
    "surrogate in a key": b'{"a\\ud800b": 1}',
    "bytes": b'{"x": "\xff\xfe"}',
    "cut off": b"[",
    "infinity": b"Infinity",
    "wrong type": b'"rubbish"',
}


@dataclass(frozen=True)
class Cell:
    """A cell of the table, which is one run.

    Attributes:
        way: How functions are executed, one of `EXECUTED`.
        shape: The type of value.
        strict: The first failure of a subtask fails the run.
        lasting: There is no end of attempts: the run is cancelled.
    """

    kind: str
    at: str
    way: str = "sync"
    shape: str = "Any"
    strict: bool = False
    lasting: bool = False

    def __str__(self) -> str:
        more = ", strictly" * self.strict
        return f"{self.kind} at {self.at}, {self.way}{more}"

    @property
    def order(self) -> Order:
        return Order(self.service, self.body(""))

    @property
    def service(self) -> str:
        way = self.way.split()[0].capitalize()
        shards = "Shards" * (self.at in SHARDED)
        lasting = "Lasting" * (self.lasting and self.way == "code")
        return f"Poison{self.shape}{way}{shards}{lasting}"

    def body(self, key: str) -> bytes:
        policy = {} if self.strict else _TOLERANT
        policy = policy | (_BATCH if "batch" in self.way else {})
        policy = policy | (_LASTING if self.lasting and self.way != "code" else {})
        task = {"kind": self.kind, "at": self.at, "key": key, "policy": policy}
        body = json.dumps(task).encode()
        if self.at != "task":
            return body
        return body[:-1] + b', "load": ' + TASKS[self.kind] + b"}"

    @property
    def allowed(self) -> set[str]:
        """What may become of it; what only one of several types can be is either."""
        if "failing" in self.at:  # unless it is refused before it can fail
            fails = "failed 418" if self.strict else "alone 418"
            return {fails} if self.kind in HARMLESS else {fails, "failed 500"}
        if self.kind in HARMLESS and self.at in self._bare:
            return {"through"}
        if self.lasting:
            ends_itself = {f"{bad} 500" for bad in ("alone", "failed")}
            return {"failed 409"} | (ends_itself if "delay" in self.kind else set())
        if (self.kind, self.at) == ("None in a field", "aggregate"):
            return {"through"}  # pydantic writes it; nobody reads a result as its type
        is_sure = self.kind in HARMFUL | SIZES.keys() | ERRORS.keys()
        return self._refused if is_sure else self._refused | {"through"}

    @property
    def _bare(self) -> set[str]:
        """Where a value is no field of a model of `fan_outs_poison`."""
        bare = {"execute", "done", "combine", "aggregate"}
        return bare if self.shape == "Number" else bare | {"item", "task"}

    @property
    def _refused(self) -> set[str]:
        if self.at == "task":  # or split fails, whose subtasks hold it
            return {"failed 400"} | ({"failed 500"} if "levels" in self.kind else set())
        bad = "failed" if self.strict or self.at != "execute" else "alone"
        refused = {f"{bad} {code}" for code in statuses(self.kind)}
        if self.way == "code" and self.kind in RETRIED:  # Restate counts its attempts
            refused |= {f"{bad} 500"}
        if self.at in (
            "item",
            "shard",
            "expanded item",
        ):  # or where it is to be executed
            refused |= {f"alone {code}" for code in (400, *statuses(self.kind))}
        return refused

    def became(self, end: End) -> str:
        """What has become of it, in the words of `allowed`."""
        if not end.status:
            return "hangs, and cannot be cancelled" if end.hangs_on else "hangs"
        if end.status >= 400:
            return f"failed {end.status}"
        answer: Any = json.loads(end.text, parse_int=str)
        if not end.text.startswith("[{"):
            return f"answered {end.text[:200]}"
        return self._reported(answer[0]["values"], answer[0]["failures"])

    def _reported(self, values: list[Any], failures: list[Any]) -> str:
        sharded = self.at in SHARDED
        healthy = "healthy" if self.at == "aggregate" else self.kind
        through = [self.kind] if sharded else ["healthy", healthy, "healthy"]
        left = ["healthy"] if sharded else ["healthy", "healthy"]
        match failures:
            case [] if values == through:
                return "through"
            case [[index, "failed", code]] if values == left:
                return (
                    f"alone {code}" if index == str(int(not sharded)) else "elsewhere"
                )
            case _:
                return f"answered {values}, {failures}"


def statuses(kind: str) -> set[int]:
    """The status with which an error may end, or a value is refused."""
    if kind in SIZES:
        return {413}
    if "cancellation" in kind:
        return {409}
    if kind.startswith("delay"):
        return {429} if kind[6:] in ("10 ms", "negative") else {429, 500}
    error, _, what = kind.partition(", ")
    if error not in ("TerminalError", "RetryableError"):
        return {500}
    return {
        "message None": {418, 500},
        "code 418": {418},
    }.get(what, {500} if what.startswith("code") else {418})


def values() -> Iterator[Cell]:
    """Values that are poison, at each point."""
    kinds = [(kind, shape) for shape, of in VALUES.items() for kind in of]
    for kind, shape in kinds:
        for way in EXECUTED:
            yield Cell(kind, "item", way, shape)
            yield Cell(kind, "execute", way, shape)
        yield Cell(kind, "execute", "async", shape, strict=True)
        for way in ("sync", "code", "async batch"):
            yield Cell(kind, "failing item", way, shape)
        yield Cell(kind, "failing item", "async", shape, strict=True)
        yield Cell(kind, "failing expanded item", "async", shape)
        for way in ("sync", "code", "sync batch"):
            yield Cell(kind, "done", way, shape)
        for at in ("shard", "expanded item", "combine"):
            yield Cell(kind, at, "async", shape)
        yield Cell(kind, "expanded item", "sync batch", shape)
        yield Cell(kind, "combine", "sync batch", shape)
        yield Cell(kind, "aggregate", "sync", shape)
    for kind in UNFIT:
        for at in ("split", "expand"):
            yield Cell(kind, at, "sync", "Number")


def errors() -> Iterator[Cell]:
    """Errors that are poison, out of each function."""
    for kind in [kind for kind in ERRORS if kind != "delay endless"]:
        for way in EXECUTED:
            yield Cell(kind, "execute", way)
        yield Cell(kind, "execute", "sync", strict=True)
        yield Cell(kind, "execute", "async batch", strict=True)
        for at in STEPS:
            yield Cell(kind, at, "sync")
            yield Cell(kind, at, "async")


def tasks() -> Iterator[Cell]:
    """Tasks that are poison."""
    for kind in TASKS:
        shape = "Number" if kind in NUMBER else "Any"
        for way in ("sync", "code", "executor", "sync batch"):
            yield Cell(kind, "task", way, shape)


def lasting() -> Iterator[Cell]:
    """Runs that are tried again and again."""
    for kind in RETRIED:
        if "code" in kind or ("message" in kind and "surrogate" not in kind):
            continue  # as any other, to Restate
        for way in ("sync", "code", "async batch"):
            yield Cell(kind, "execute", way, lasting=True)
        for at in ("split", "aggregate"):
            yield Cell(kind, at, "async", lasting=True)


def large() -> Iterator[Cell]:
    """What is larger than a message of Restate."""
    for way in EXECUTED:
        yield Cell("33 MiB", "execute", way)
    for at in ("item", "done", "aggregate"):
        yield Cell("33 MiB", at, "sync")
    for at in ("shard", "expanded item", "combine"):
        yield Cell("33 MiB", at, "async")


CELLS = [*values(), *errors(), *tasks()]
LASTING_CELLS, LARGE = [*lasting()], [*large()]
Ends = dict[Cell, End]


def of(request: pytest.FixtureRequest, cells: list[Cell]) -> list[Cell]:
    """Those of the cells that there are tests for, as all may not be wanted."""
    wanted = {
        item.callspec.params.get("cell")
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    }
    return [cell for cell in cells if cell in wanted]


def is_well(server: Server) -> bool:
    """Whether the worker answers, which only its own machine can ask it."""
    if not server.worker:
        return True
    connection = HTTPConnection(urlsplit(server.worker).netloc, timeout=20)
    with closing(connection):
        connection.request("GET", "/health")
        return connection.getresponse().status == 200


@pytest.fixture(scope="module")
def ends(server: Server, request: pytest.FixtureRequest) -> Ends:
    cells = of(request, CELLS)
    found = Runs(server).ends([cell.order for cell in cells])
    return dict(zip(cells, found, strict=True))


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_poison_ends_a_run_or_only_its_subtask(
    server: Server, ends: Ends, cell: Cell
) -> None:
    assert cell.became(ends[cell]) in cell.allowed, ends[cell].text[:500]
    assert is_well(server)


def test_each_run_of_the_table_tells_its_end(server: Server, ends: Ends) -> None:
    """Also where poison is in a failure or an error. A refused task has no end."""
    runs = {
        end.run: cell for cell, end in ends.items() if end.status and cell.at != "task"
    }

    def silent() -> dict[str, Cell]:
        ended = '(value_utf8 not like \'%"state":"running"%\')'
        of_all = "select service_key from state where service_name = 'FanOutProgress'"
        rows = server.query(f"{of_all} and {ended}")
        known = {row["service_key"] for row in rows}
        return {run: cell for run, cell in runs.items() if run not in known}

    with suppress(AssertionError):
        eventually(lambda: not silent())
    assert not silent()


@pytest.fixture(scope="module")
def lasting_ends(server: Server, request: pytest.FixtureRequest) -> Ends:
    """Each is cancelled as soon as its poison has arisen."""
    cells = of(request, LASTING_CELLS)
    keys = [uuid4().hex for _ in cells]
    orders = [
        Order(cell.service, cell.body(key), partial(has_arisen, server, key))
        for cell, key in zip(cells, keys, strict=True)
    ]
    return dict(zip(cells, Runs(server).ends(orders), strict=True))


def has_arisen(server: Server, key: str) -> bool:
    """Whether the poison of that key has arisen; False too if nobody says so soon."""
    if server.worker:
        return was_entered(key)
    url = f"{server.ingress}/Executions/run"
    try:
        return httpx.post(url, json={"key": key}, timeout=5).json() > 0
    except httpx.TimeoutException:
        return False


@pytest.mark.parametrize("cell", LASTING_CELLS, ids=str)
def test_a_run_that_is_tried_again_and_again_can_be_cancelled(
    server: Server, lasting_ends: Ends, cell: Cell
) -> None:
    assert cell.became(lasting_ends[cell]) in cell.allowed, lasting_ends[cell].text
    assert is_well(server)


SIZES_OF_ALL = {  # in MiB, of the parts of one run
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
    cells = of(request, LARGE)
    found = Runs(server).ends([cell.order for cell in cells], at_once=2)
    return dict(zip(cells, found, strict=True))


@pytest.mark.parametrize("cell", LARGE, ids=str)
def test_what_is_too_large_is_a_413(
    server: Server, large_ends: Ends, cell: Cell
) -> None:
    assert cell.became(large_ends[cell]) in cell.allowed, large_ends[cell].text[:500]
    assert is_well(server)


@pytest.fixture(scope="module")
def together_ends(server: Server) -> dict[str, End]:
    orders: list[Order] = []
    for parts in SIZES_OF_ALL.values():
        sizes = {part: size for part, size in parts.items() if part != "filler"}
        task = {"filler": "x" * (parts.get("filler", 0) * MIB), **sizes}
        orders.append(Order("Sizes", json.dumps(task).encode()))
    return dict(zip(SIZES_OF_ALL, Runs(server).ends(orders, at_once=2), strict=True))


@pytest.mark.parametrize("name", SIZES_OF_ALL)
def test_what_is_too_large_together_is_a_413_or_comes_through(
    server: Server, together_ends: dict[str, End], name: str
) -> None:
    assert together_ends[name].status in (200, 413), together_ends[name].text[:500]
    assert is_well(server)


def waits(server: Server, key: str) -> bool:
    """Whether the poison has arisen, and all that is left is to wait."""
    busy = "status not in ('backing-off', 'completed', 'scheduled', 'suspended')"
    try:
        return was_entered(key) and not server.query(
            f"select id from sys_invocation where {busy}"
        )
    except httpx.HTTPStatusError:
        return False  # the server is in a panic


@pytest.mark.parametrize(
    "cell",
    [
        Cell("ValueError", "execute", "sync"),
        Cell("ValueError", "execute", "code"),
        *(Cell("ValueError", at, "async") for at in STEPS),
    ],
    ids=str,
)
def test_a_pause_of_ten_years_does_not_end_the_server(cell: Cell, key: str) -> None:
    """restate-server 1.7 panics at one of more than two years, again and again."""
    pause = {"initial_retry_interval": "P3650D", "max_retry_interval": "P3650D"}
    task = {"kind": cell.kind, "at": cell.at, "key": key, "policy": pause}
    body = json.dumps(task).encode()
    path = Path(fan_outs_poison.__file__)
    with local([f"{path}:{cell.service}"], ports=Ports(0, 0, 0)) as started:
        server = Server(started.ingress, started.admin, worker=started.worker)
        order = Order(cell.service, body, partial(waits, server, key))

        [end] = Runs(server).ends([order])

    # Restate itself retries handler code, and takes so long a pause for none.
    usual = (400, 409) if cell.way != "code" else (400, 409, 500)
    assert end.status in usual, end


reaches_us = pytest.mark.skipif(GIVEN, reason="its worker reaches other hosts")


@pytest.fixture(scope="module")
def remote() -> Iterator[Misbehaving]:
    with misbehaving() as remote:
        yield remote


@pytest.fixture(scope="module")
def answered_ends(server: Server, remote: Misbehaving) -> dict[tuple[str, int], End]:
    """Of runs with three requests, of which the second is answered with poison."""
    orders: dict[tuple[str, int], Order] = {}
    path = f"{remote.url}/body?kind=application/json&hex="
    for kind, poison in TASKS.items():
        bodies = (b"[1]", poison, b"[1]")
        requests = [{"url": f"{path}{body.hex()}"} for body in bodies]
        for batch in (1, 4):
            policy = {"max_items_per_batch": batch}
            task = json.dumps({"requests": requests, "policy": policy}).encode()
            orders[kind, batch] = Order("HttpFanOut", task)
    return dict(zip(orders, Runs(server).ends(orders.values()), strict=True))


@reaches_us
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("kind", TASKS)
def test_poison_from_a_remote_server_is_the_end_of_no_other_request(
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
    assert is_well(server)


@pytest.fixture(scope="module")
def sent_ends(server: Server, remote: Misbehaving) -> dict[str, End]:
    """Of runs with two requests, of which the second is to send poison."""
    head = json.dumps({"url": f"{remote.url}/echo", "method": "POST"})[:-1].encode()
    fine = json.dumps({"url": f"{remote.url}/echo"}).encode()
    orders: list[Order] = []
    for poison in TASKS.values():
        request = head + b', "json": ' + poison + b"}"
        body = b'{"requests": [' + fine + b", " + request + b"]}"
        orders.append(Order("HttpFanOut", body))
    return dict(zip(TASKS, Runs(server).ends(orders), strict=True))


@reaches_us
@pytest.mark.parametrize("kind", TASKS)
def test_poison_in_a_request_to_send_is_refused_or_sent(
    server: Server, sent_ends: dict[str, End], kind: str
) -> None:
    assert sent_ends[kind].status in (200, 400), sent_ends[kind]
    assert is_well(server)
