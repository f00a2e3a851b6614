"""A restate-server and two workers with schedules, which these tests share."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import httpx
import pytest

from parallelizework.client import Client
from tests.faults.site import Site, site
from tests.integration.processes import eventually

TARGETS = ["tests.integration.schedules.fan_out", "FanOutSchedule"]


class Schedules:
    """The schedules of a site, and what the server knows of their runs.

    Attributes:
        system: The site.
        client: A client of its server.
    """

    def __init__(self, system: Site, client: Client) -> None:
        self.system = system
        self.client = client

    def times(self, name: str) -> list[datetime]:
        """The times for which a schedule has started runs, in their order."""
        keys = self._query(
            "select idempotency_key from sys_invocation where target = 'Scheduled/run' "
            f"and idempotency_key like '{name}/%'"
        )
        return sorted(datetime.fromisoformat(key.rpartition("/")[2]) for key in keys)

    def timers(self, name: str) -> int:
        """The number of ticks that wait for their times."""
        target = f"target = 'FanOutSchedule/{name}/tick'"
        return len(self._query(f"select id from sys_invocation where {target}"))

    def following(self, name: str) -> list[str]:
        """The ids of the invocations that wait for the ends of runs."""
        target = f"target = 'FanOutSchedule/{name}/follow' and status <> 'completed'"
        return self._query(f"select id from sys_invocation where {target}")

    def stop(self, invocation: str, how: str) -> None:
        """Kill or cancel an invocation."""
        url = f"{self.system.admin}/invocations/{invocation}/{how}"
        self.system.http.patch(url).raise_for_status()

    def _query(self, sql: str) -> list[str]:
        """The only column of the rows. A server that has just started may refuse."""
        answers: list[httpx.Response] = []

        def is_answered() -> bool:
            url, body = f"{self.system.admin}/query", {"query": sql}
            headers = {"accept": "application/json"}
            answers.append(self.system.http.post(url, json=body, headers=headers))
            return answers[-1].is_success

        eventually(is_answered)
        return [next(iter(row.values())) for row in answers[-1].json()["rows"]]


def steps(times: list[datetime]) -> set[float]:
    """The seconds from each time to the following one."""
    return {(b - a).total_seconds() for a, b in pairwise(times)}


@pytest.fixture(scope="package")
def schedules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Schedules]:
    folder = tmp_path_factory.mktemp("site")
    with (
        site(folder, TARGETS) as system,
        Client(system.ingress, system.admin) as client,
    ):
        yield Schedules(system, client)
