"""The response to any request to the ingress is a result or a 4xx, and comes soon."""

import json
import os
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from parallelizework import Policy
from parallelizework.ready_made.fan_out_worker import Task
from tests.integration.processes import LONG

from .conftest import Victim
from .parcels import Parcel, Shipment
from .schemas import Values, allowed, corrupted

EXAMPLES = os.environ.get("HOSTILE_EXAMPLES")
KINDS: dict[str, type[Task] | type[Shipment]] = {
    "FanOutWorker": Task,
    "Parcels": Shipment,
}
PARCELS: TypeAdapter[list[Parcel]] = TypeAdapter(list[Parcel])
MIB = 2**20
# Limits any policy: a policy may request a pause of years between attempts.
SOON = {"deadline": 5, "max_attempts": 3, "max_retry_interval": 0.1}

fuzz = settings(
    max_examples=int(EXAMPLES or 30),
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
    ],
)


def tasks(victim: Victim, service: str) -> Values:
    """Return the input schema of the service from the OpenAPI page of the ingress."""
    page = httpx.get(f"{victim.admin}/services/{service}/openapi", timeout=LONG).json()
    return allowed(page["components"]["schemas"]["runRequest"], page).map(soon)


def soon(task: dict[str, Any]) -> dict[str, Any]:
    policy = task.get("policy")
    return task if policy is None else task | {"policy": policy | SOON}


def parsed(service: str, body: bytes) -> Task | Shipment | None:
    """Return the task in a body; None if the body is not a valid task."""
    try:
        return KINDS[service].model_validate_json(body)
    except ValidationError:
        return None


def ends_soon(task: Task | Shipment) -> bool:
    """Whether a run of the task must end during this test."""
    deadline = task.policy.deadline
    return task.policy == Policy() or bool(deadline and deadline.total_seconds() < 10)


def assert_answered(victim: Victim, service: str, body: bytes) -> None:
    task = parsed(service, body)
    assume(task is None or ends_soon(task))

    answer = victim.run(service, body)

    if task is None:
        assert answer.status_code == 400, answer.text
        assert len(answer.content) < 10_000
    elif answer.is_success:
        assert_right(task, answer.json())
    else:
        assert 400 <= answer.status_code < 500 or answer.status_code == 504, answer.text


def assert_right(task: Task | Shipment, result: Any) -> None:
    if isinstance(task, Task):
        assert set(result) <= {"description", "failures"}
    elif len(result) == len(task.parcels):  # with a quorum, fewer are returned
        assert repr(result) == repr(round_trip(task.parcels))


def round_trip(parcels: list[Parcel]) -> Any:
    """Return parcels after a round trip as JSON."""
    again = PARCELS.validate_json(PARCELS.dump_json(parcels))
    return json.loads(PARCELS.dump_json(again))


@pytest.mark.parametrize("service", KINDS)
@given(data=st.data())
@fuzz
def test_any_task_that_the_schema_allows_is_answered(
    victim: Victim, service: str, data: st.DataObject
) -> None:
    task = data.draw(tasks(victim, service))

    assert_answered(victim, service, json.dumps(task).encode())


@pytest.mark.parametrize("service", KINDS)
@given(data=st.data())
@fuzz
def test_any_corrupted_task_is_answered(
    victim: Victim, service: str, data: st.DataObject
) -> None:
    assert_answered(victim, service, data.draw(corrupted(tasks(victim, service))))


def chores(description: str, **policy: object) -> bytes:
    return json.dumps({"description": description, "policy": policy}).encode()


def parcel(more: str) -> bytes:
    """A shipment of one parcel, with JSON of any kind in it."""
    tree = '{"kind": "leaf", "weight": 1}'
    return f'{{"parcels": [{{"number": 1, "tree": {tree}, "more": {more}}}]}}'.encode()


def branches(depth: int) -> bytes:
    head, tail = '{"kind": "branch", "parts": [', "]}"
    leaf = '{"kind": "leaf", "weight": 1}'
    tree = head * depth + leaf + tail * depth
    return f'{{"parcels": [{{"number": 1, "tree": {tree}}}]}}'.encode()


BAD = {
    "nothing": ("FanOutWorker", b""),
    "not UTF-8": ("FanOutWorker", b'{"description": "\xff\xfe"}'),
    "UTF-16": ("FanOutWorker", '{"description": "a"}'.encode("utf-16")),
    "a null byte": ("FanOutWorker", b'{"description": "a\0b"}'),
    "lone surrogates": ("FanOutWorker", b'{"description": "\\udc00\\ud800"}'),
    "commas": ("FanOutWorker", chores("," * 100_000)),
    "brackets": ("FanOutWorker", b"[" * MIB),
    "a long name": ("FanOutWorker", chores("a", **{"x" * MIB: 1})),
    "many names": ("FanOutWorker", chores("a", **{str(n): 1 for n in range(10_000)})),
    "NaN": ("FanOutWorker", chores("a", tolerated_failure_percentage=float("nan"))),
    "infinity": ("FanOutWorker", chores("a", retry_interval_factor=float("inf"))),
    "a deadline of ages": ("FanOutWorker", chores("a", deadline="P99999999999D")),
    "many digits": (
        "Parcels",
        parcel("1").replace(b": 1,", b": " + b"1" * 5_000 + b","),
    ),
    "a deep tree": ("Parcels", branches(5_000)),
    "deep JSON": ("Parcels", parcel("[" * 5_000 + "]" * 5_000)),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_a_400_with_the_reason(victim: Victim, name: str) -> None:
    answer = victim.run(*BAD[name])

    assert answer.status_code == 400, answer.text
    assert 20 < len(answer.json()["message"]) < 5_000


HARMLESS = {
    "the null character": ("FanOutWorker", b'{"description": "a\\u0000b"}'),
    "a field twice": ("FanOutWorker", b'{"description": 1, "description": "a"}'),
    "a huge batch": ("FanOutWorker", chores("a,b,c", max_items_per_batch=10**400)),
    "no bound": ("FanOutWorker", chores("a,b," * 50, max_concurrency=10**400)),
    "a huge tolerance": ("FanOutWorker", chores("a", tolerated_failure_count=10**400)),
    "a huge number": ("Parcels", parcel("1e999")),
    "many digits within": ("Parcels", parcel("9" * 5_000)),
    "30 MiB": ("FanOutWorker", chores("a" * 30 * MIB)),
    **{f"{n} levels": ("Parcels", parcel("[" * n + "]" * n)) for n in range(180, 200)},
    **{f"{n} branches": ("Parcels", branches(n)) for n in range(80, 100)},
}


@pytest.mark.parametrize("name", HARMLESS)
def test_an_extreme_task_is_answered_or_refused(victim: Victim, name: str) -> None:
    answer = victim.run(*HARMLESS[name])

    assert answer.is_success or answer.status_code in (400, 413), answer.text


def test_a_body_that_is_too_large_is_a_413(victim: Victim) -> None:
    assert victim.run("FanOutWorker", chores("a" * 33 * MIB)).status_code == 413


@pytest.mark.parametrize("kind", ["", "text/plain", "application/xml", "\xff"])
def test_an_unusual_content_type_is_answered_or_refused(
    victim: Victim, kind: str
) -> None:
    answer = httpx.post(
        f"{victim.ingress}/FanOutWorker/run",
        content=b'{"description": "a"}',
        headers={b"content-type": kind.encode("latin-1")},
        timeout=LONG,
    )

    assert answer.is_success or 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    "policy", ["[1]", "5", "{", '{"max_attempts": 0}', "\xff", "9" * 5_000]
)
def test_a_bad_policy_in_a_header_is_refused(victim: Victim, policy: str) -> None:
    answer = httpx.post(
        f"{victim.ingress}/FanOutWorker/runSubtask",
        json={"description": "a"},
        headers={b"x-parallelizework-policy": policy.encode("latin-1")},
        timeout=LONG,
    )

    assert answer.status_code == 400


def test_an_unknown_path_is_refused(victim: Victim) -> None:
    for path in ("Nothing/run", "FanOutWorker/nothing", "FanOutProgress/%00%ff/get"):
        answer = httpx.post(f"{victim.ingress}/{path}", json=1, timeout=LONG)

        assert 400 <= answer.status_code < 500, path


def test_large_tasks_leave_no_memory_in_use(victim: Victim) -> None:
    """Later tasks need no more memory than the first tasks."""
    large, before = chores("a" * 30 * MIB), victim.memory()

    def peak() -> float:
        victim.forget_peak()
        for _ in range(2):
            assert victim.run("FanOutWorker", large).status_code == 413
        return victim.memory("VmHWM")

    first = peak()
    assert first < before + 600
    assert min(peak(), peak()) < first + 40  # with a body left of each, 60 more
