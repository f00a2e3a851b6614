"""Random runs against a reference model: every end is one that the model allows.

Short here; `make random` draws other cases for RANDOM_SECONDS, from RANDOM_SEED on.
RANDOM_CASE is the number of one case to run again.
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
from .random_cases import Case, drawn

SECONDS = float(os.environ.get("RANDOM_SECONDS") or 0)
SEED = int(os.environ.get("RANDOM_SEED") or 1)
CASE = os.environ.get("RANDOM_CASE")
AT_ONCE = 6  # runs
CASES = {"plain": 90, "replay": 15, "v7": 15, "given": 15}  # where there is no time


def cases(server_kind: str) -> Iterator[Case]:
    """The cases to run: the one asked for, or those for which there is time."""
    end = time.monotonic() + SECONDS
    numbers = [int(CASE)] if CASE else count() if SECONDS else range(CASES[server_kind])
    for number in numbers:
        if SECONDS and time.monotonic() > end:
            return
        yield drawn(SEED, number)


def judged(
    server: Server, these: Iterator[Case]
) -> list[tuple[Observation, list[str]]]:
    """Run these, some at a time, each with what is wrong with it."""
    lock, found = threading.Lock(), list[tuple[Observation, list[str]]]()

    def some() -> None:
        while True:
            with lock:
                case = next(these, None)
            if not case:
                return
            each = observed(server, case)
            found.append((each, list(each.wrong())))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(some) for _ in range(AT_ONCE)]:
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
