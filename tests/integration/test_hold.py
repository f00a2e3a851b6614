"""A run with `hold` waits for a redrive, instead of failing."""

from collections.abc import Iterator
from typing import Any

import pytest

from parallelizework import Policy
from parallelizework.client import Client, Run
from parallelizework.errors import NotRedrivable, RunFailed

from .conftest import HTTP, Server
from .processes import eventually
from .test_progress import progress
from .test_redrive import KINDS, Trial


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.ingress, server.admin) as client:
        yield client


class Held:
    """A run that is held."""

    def __init__(
        self, server: Server, client: Client, service: str, key: str, **task: Any
    ) -> None:
        policy = {"hold": 3_600} | task.pop("policy", {})
        task = {"key": key, "count": 20, "bad": [3, 7]} | task | {"policy": policy}
        run = server.send(service, task)["invocationId"]
        self.server = server
        self.trial = Trial(server, service, key, task["count"], run)
        self.run: Run[Any] = client.attach(service, run)
        self.wait()

    def wait(self) -> None:
        eventually(lambda: self.state == "held")

    @property
    def state(self) -> str:
        return progress(self.server, self.run.id).get("state", "")

    @property
    def error(self) -> str:
        return self.run.progress().error or ""


@pytest.mark.parametrize("count", [20, 300])
@pytest.mark.parametrize("kind", KINDS)
def test_a_held_run_continues_with_a_redrive(
    server: Server, client: Client, key: str, kind: str, count: int
) -> None:
    held = Held(server, client, kind, key, count=count)
    held.trial.repair()

    redrive = held.run.redrive()

    assert (redrive.id, redrive.is_new) == (held.run.id, False)
    held.trial.check(server.attach(held.run.id))
    assert held.run.progress().succeeded == count


def test_a_held_run_says_why_it_would_fail(
    server: Server, client: Client, key: str
) -> None:
    held = Held(server, client, "Redriven", key, bad=[3])

    reported = held.run.progress()

    assert reported.state == "held"
    assert not reported.ended
    assert reported.error
    assert reported.error.startswith("subtask 3 failed: 3 is bad")
    assert [failure.index for failure in held.run.failures()] == [3]
    held.run.settle()


def test_a_held_run_is_suspended(server: Server, client: Client, key: str) -> None:
    held = Held(server, client, "Redriven", key)

    def status() -> str:
        [run] = server.query(
            f"select status from sys_invocation where id = '{held.run.id}'"
        )
        return run["status"]

    eventually(lambda: status() == "suspended")
    held.run.settle()


@pytest.mark.parametrize("count", [20, 300])
def test_a_run_that_would_fail_again_is_held_again(
    server: Server, client: Client, key: str, count: int
) -> None:
    held = Held(server, client, "Redriven", key, count=count, repairs=2)
    held.trial.repair()
    held.run.redrive()
    eventually(lambda: held.trial.executions()["failed 3"] == 2)
    held.wait()
    held.trial.repair()

    held.run.redrive()

    held.trial.check(server.attach(held.run.id))


def test_a_held_run_fails_when_somebody_settles_it(
    server: Server, client: Client, key: str
) -> None:
    held = Held(server, client, "Redriven", key, bad=[3])

    held.run.settle()

    with pytest.raises(RunFailed, match="subtask 3 failed: 3 is bad"):
        held.run.result(60)
    held.trial.repair()
    held.trial.check(held.trial.redrive())


def test_a_held_run_fails_when_its_time_is_over(
    server: Server, client: Client, key: str
) -> None:
    held = Held(server, client, "Redriven", key, bad=[3], policy={"hold": 2})

    with pytest.raises(RunFailed, match="subtask 3 failed: 3 is bad"):
        held.run.result(60)


def test_a_held_run_can_be_cancelled(server: Server, client: Client, key: str) -> None:
    held = Held(server, client, "Redriven", key)

    held.run.cancel()

    with pytest.raises(RunFailed, match="was cancelled"):
        held.run.result(60)


def test_a_redrive_that_is_not_possible_leaves_the_run_held(
    server: Server, client: Client, key: str
) -> None:
    held = Held(server, client, "Redriven", key)
    held.run.redrive(indexes=[2])

    eventually(lambda: held.error == "not a subtask without a value: 2")
    held.trial.repair()
    held.run.redrive()
    held.trial.check(server.attach(held.run.id))


def test_a_policy_that_is_not_possible_leaves_the_run_held(
    server: Server, client: Client, key: str
) -> None:
    held = Held(server, client, "Redriven", key)
    held.run.redrive(Policy(min_successful=100))

    eventually(lambda: "min_successful=100, but there are 20" in held.error)
    held.trial.repair()
    held.run.redrive()
    held.trial.check(server.attach(held.run.id))


def test_a_held_run_that_was_killed_is_not_held(
    server: Server, client: Client, key: str
) -> None:
    held = Held(server, client, "Redriven", key)
    url = f"{server.admin}/invocations/{held.run.id}/kill"
    HTTP.patch(url).raise_for_status()
    with pytest.raises(RunFailed, match="killed"):
        held.run.result(60)

    with pytest.raises(NotRedrivable, match="was killed while it was held"):
        held.run.redrive()
    with pytest.raises(NotRedrivable, match="is not held"):
        held.run.settle()


def test_a_redrive_of_a_held_run_over_http_answers_its_result(
    server: Server, client: Client, key: str
) -> None:
    held = Held(server, client, "Redriven", key)
    held.trial.repair()

    answer = held.trial.redrive()

    held.trial.check(answer)


def test_only_a_held_run_can_be_settled(
    server: Server, client: Client, key: str
) -> None:
    run = server.run("Redriven", {"key": key, "count": 2, "bad": [1]})

    with pytest.raises(NotRedrivable, match="is not held"):
        client.attach("Redriven", run.headers["x-restate-id"]).settle()
