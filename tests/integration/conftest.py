"""A restate-server with a worker, which the tests of this folder share.

`--server` selects the kind of server. `plain` has its default settings. `replay`
suspends at each await, so that each step replays all earlier ones. `v7` speaks the next
version of Restate's protocol. `own` selects the tests that start servers and workers of
their own. Without `--server`, all these tests run. `lambda` has no worker: it invokes a
function of a stand-in for AWS Lambda. If the environment names a server, tests run on
that server.
"""

import shlex
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress
from operator import not_
from pathlib import Path

import httpx
import pytest

from parallelizework.local.dev import Local, local
from parallelizework.local.ports import Ports
from parallelizework.settings import Settings
from tests.aws_lambda.server import server_on_lambda

from .processes import LONG, eventually
from .targets import targets

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HTTP = httpx.Client(timeout=LONG)  # one for all: each has a TLS context to make


@dataclass(frozen=True)
class Server:
    """A restate-server's two addresses, and what a test does with them.

    Attributes:
        folder: Where its worker's HttpFanOut has files of rows.
        worker: The worker's URL, where it is on this machine.
    """

    ingress: str
    admin: str
    folder: Path = Path()
    worker: str = ""

    def run(
        self, service: str, task: object, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        url = f"{self.ingress}/{service}/run"
        return HTTP.post(url, json=task, headers=headers)

    def send(self, service: str, task: object, query: str = "") -> dict[str, str]:
        url = f"{self.ingress}/restate/send/{service}/run{query}"
        return HTTP.post(url, json=task).raise_for_status().json()

    def cancel(self, invocation: str) -> None:
        url = f"{self.admin}/invocations/{invocation}/cancel"
        HTTP.patch(url).raise_for_status()

    def repair(self, key: str) -> None:
        """Repair what the key names, so that what waits for it can end."""
        self.run("Repair", {"key": key}).raise_for_status()

    def executions(self, key: str) -> int:
        """How many executions the subtasks of that key have counted themselves."""
        return self.run("Executions", {"key": key}).json()

    def attach(self, invocation: str) -> httpx.Response:
        url = f"{self.ingress}/restate/attach/{invocation}"
        return HTTP.get(url)

    def query(self, sql: str) -> list[dict[str, str]]:
        headers = {"accept": "application/json"}
        answer = HTTP.post(f"{self.admin}/query", json={"query": sql}, headers=headers)
        return answer.raise_for_status().json()["rows"]

    def family(self, run: str) -> list[dict[str, str]]:
        """The run and its subtasks, as the server knows them."""
        return self.query(
            "select id, target, status, completion_result from sys_invocation "
            f"where id = '{run}' or invoked_by_id = '{run}'"
        )

    def wait_until_gone(self, run: str) -> None:
        """Wait until the run, its calls and their calls have ended."""
        left = "select c.target from sys_invocation c left join sys_invocation p "
        left += "on c.invoked_by_id = p.id where c.status != 'completed' and "
        left += f"'{run}' in (c.id, p.id, p.invoked_by_id)"
        eventually(lambda: not self.query(left))


def error(answer: httpx.Response) -> str:
    """The message of an answer that is an error."""
    assert answer.is_error
    return answer.json()["message"]


KINDS = ["plain", "replay", "v7"]
LAMBDA = "lambda"  # only on request: not all tests make sense there
GIVEN = "ingress_url" in Settings().model_fields_set


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Function]
) -> None:
    """Keep the tests that `--server` selects.

    A test that is marked `once` runs on a plain server only.
    """
    selected = ["given"] if GIVEN else config.getoption("server") or [*KINDS, "own"]
    is_selected = [
        HERE not in item.path.parents or _kind(item) in selected for item in items
    ]
    config.hook.pytest_deselected(items=list(compress(items, map(not_, is_selected))))
    items[:] = compress(items, is_selected)


def pytest_unconfigure() -> None:
    HTTP.close()


def _kind(item: pytest.Function) -> str | None:
    """The kind of server that a test runs on; None for one kind too many."""
    if "server" not in item.fixturenames:
        return "own"
    kind = str(item.callspec.params["server"])
    is_repeated = kind in [*KINDS[1:], LAMBDA] and item.get_closest_marker("once")
    return None if is_repeated else kind


@pytest.fixture(scope="session", params=["given"] if GIVEN else [*KINDS, LAMBDA])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    settings = Settings()
    if request.param == "given":
        yield Server(settings.ingress_url, settings.admin_url)
        return
    folder = tmp_path_factory.mktemp("rows")
    environment = {
        "PARALLELIZEWORK_MAX_PAUSE": "0.05",
        "PARALLELIZEWORK_HTTP_ALLOWED_HOSTS": "127.0.0.1 localhost",
        "PARALLELIZEWORK_HTTP_FOLDER": str(folder),
        "PARALLELIZEWORK_HTTP_SECRET_TOKEN": "Bearer s3cr3t",
    }
    if request.param == LAMBDA:
        environment["PARALLELIZEWORK_FAN_OUTS"] = shlex.join(targets(ROOT))
        with server_on_lambda(environment, folder) as (started, _):
            yield Server(started.ingress, started.admin, folder)
        return
    if request.param == "v7":
        environment["RESTATE_EXPERIMENTAL_ENABLE_PROTOCOL_V7"] = "true"
    with local(targets(ROOT), ports=Ports(0, 0, 0), environment=environment) as started:
        if request.param == "replay":
            suspend_at_each_await(started)
        yield Server(started.ingress, started.admin, folder, started.worker)


def suspend_at_each_await(started: Local) -> None:
    """Have the server ask for a suspension as soon as an invocation waits."""
    for service in started.services:
        url = f"{started.admin}/services/{service}"
        HTTP.patch(url, json={"inactivity_timeout": "0s"}).raise_for_status()


@pytest.fixture
def key() -> str:
    """A name that no other test has used."""
    return uuid.uuid4().hex
