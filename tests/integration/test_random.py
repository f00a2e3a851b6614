"""Compare random runs with a reference model, which allows one or more ends of a run.

`make random` runs more cases for RANDOM_SECONDS with the seed RANDOM_SEED.
RANDOM_CASE is the number of a single case to run again.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TypeVar

import pytest

from .conftest import Server
from .observation import Observation, observed
from .processes import eventually
from .random_cases import Case, random_case

T = TypeVar("T")

SECONDS = float(os.environ.get("RANDOM_SECONDS") or 0)
SEED = int(os.environ.get("RANDOM_SEED") or 1)
CASE = os.environ.get("RANDOM_CASE")
AT_ONCE = 6  # runs
CASES = {
    "plain": 30,
    "replay": 15,
    "v7": 45,
    "given": 15,
}  # without RANDOM_SECONDS, by kind of server


def cases(server_kind: str) -> Iterator[Case]:
    """Yield RANDOM_CASE, or cases for RANDOM_SECONDS, or a fixed number of cases."""
    end = time.monotonic() + SECONDS
    numbers = [int(CASE)] if CASE else count() if SECONDS else range(CASES[server_kind])
    for number in numbers:
        if SECONDS and time.monotonic() > end:
            return
        yield random_case(SEED, number)


def in_parallel(
    some: Iterator[Case], do: Callable[[Case], T], at_once: int = AT_ONCE
) -> list[T]:
    """Do something with each case, with several at once; return the results."""
    lock, found = threading.Lock(), list[T]()

    def do_some() -> None:
        while True:
            with lock:
                case = next(some, None)
            if not case:
                return
            found.append(do(case))

    with ThreadPoolExecutor(at_once) as pool:
        for done in [pool.submit(do_some) for _ in range(at_once)]:
            done.result()
    return found


@pytest.mark.timeout(SECONDS + 600)
def test_every_random_run_ends_as_the_reference_model_allows(
    server: Server, request: pytest.FixtureRequest
) -> None:
    def judged(case: Case) -> tuple[Observation, list[str]]:
        each = observed(server, case)
        return each, list(each.errors())

    found = in_parallel(cases(request.node.callspec.params["server"]), judged)

    errors = [
        f"{each}\n{''.join(f'  - {line}{chr(10)}' for line in wrong[:8])}"
        for each, wrong in found
        if wrong
    ]
    summary = f"{len(errors)} of {len(found)} are wrong"
    assert not errors, "\n".join([summary, *errors[:40]])
    eventually(lambda: not left(server))


def left(server: Server) -> list[dict[str, str]]:
    return server.query(
        "select id, target from sys_invocation where status != 'completed' "
        "and target like 'Random%'"
    )
