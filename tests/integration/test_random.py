"""Compare random runs with a reference model, which allows one or more ends of a run.

`make random` runs more cases for RANDOM_SECONDS with the seed RANDOM_SEED.
RANDOM_CASE is the number of a single case to run again.
"""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from .conftest import Server
from .observation import Observation, observed
from .processes import eventually
from .random_cases import Case, random_case

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


def judged(server: Server, some: Iterator[Case]) -> list[tuple[Observation, list[str]]]:
    """Run the cases, several at once; return each observation with its errors."""
    lock, found = threading.Lock(), list[tuple[Observation, list[str]]]()

    def run_some() -> None:
        while True:
            with lock:
                case = next(some, None)
            if not case:
                return
            each = observed(server, case)
            found.append((each, list(each.errors())))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(run_some) for _ in range(AT_ONCE)]:
            done.result()
    return found


@pytest.mark.timeout(SECONDS + 600)
def test_every_random_run_ends_as_the_reference_model_allows(
    server: Server, request: pytest.FixtureRequest
) -> None:
    found = judged(server, cases(request.node.callspec.params["server"]))

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
