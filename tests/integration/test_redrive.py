"""A redrive executes what has no value, and aggregates old and new values.

The subtasks record each execution outside Restate. So each test sees whether a subtask
was executed again that had succeeded.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from parallelizework import Policy
from parallelizework.client import Client
from parallelizework.errors import NotRedrivable, RunFailed

from .conftest import HTTP, Server, error
from .processes import eventually
from .test_progress import progress

ALL_SETTLED = {"tolerated_failure_percentage": 100}
KINDS = [
    "Redriven",
    "RedrivenCombined",
    "RedrivenCode",
    "RedrivenExecutor",
    "RedrivenSharded",
    "RedrivenShardedCombined",
]
COMBINED = ("RedrivenCombined", "RedrivenShardedCombined")


@dataclass
class Trial:
    """A run, and its redrives.

    Attributes:
        run: The id of the run.
        answer: The answer of the run.
    """

    server: Server
    service: str
    key: str
    count: int
    run: str = ""
    answer: httpx.Response | None = None

    def redrive(self, run: str = "", **request: Any) -> httpx.Response:
        url = f"{self.server.ingress}/{self.service}/redrive"
        return HTTP.post(url, json={"run": run or self.run, **request})

    def repair(self) -> None:
        self.server.repair(self.key)

    def executions(self) -> Counter[str]:
        """How often each line is in the ledger."""
        return Counter(self.server.run("RedrivenLedger", self.key).json())

    def check(self, answer: httpx.Response) -> None:
        """Check that the result is complete, and that no success was repeated."""
        result = answer.raise_for_status().json()
        in_order = sorted(result) if self.service in COMBINED else result
        assert in_order == list(range(self.count))
        succeeded = {f"succeeded {number}": 1 for number in range(self.count)}
        executions = self.executions()
        assert {each: executions[each] for each in succeeded} == succeeded
        assert executions["split"] <= 1


Start = Callable[..., Trial]


@pytest.fixture
def start(server: Server, key: str) -> Start:
    def started(service: str, count: int, **task: Any) -> Trial:
        trial = Trial(server, service, key, count)
        trial.answer = server.run(service, {"key": key, "count": count} | task)
        trial.run = trial.answer.headers["x-restate-id"]
        return trial

    return started


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.ingress, server.admin) as client:
        yield client


def test_one_failed_subtask_of_three_is_executed_again(start: Start) -> None:
    trial = start("Redriven", 3, bad=[1])
    trial.repair()

    answer = trial.redrive()

    trial.check(answer)
    assert trial.executions()["failed 1"] == 1


@pytest.mark.parametrize("policy", [{}, ALL_SETTLED], ids=["first failure", "settled"])
@pytest.mark.parametrize("kind", KINDS)
def test_failures_of_each_kind_of_fan_out_are_redriven(
    start: Start, kind: str, policy: dict[str, Any]
) -> None:
    trial = start(kind, 180, bad=[0, 44, 179], policy=policy)
    trial.repair()

    answer = trial.redrive()

    trial.check(answer)


@pytest.mark.parametrize("kind", ["Redriven", "RedrivenCombined", "RedrivenSharded"])
@pytest.mark.parametrize("size", [10, "auto"])
def test_batches_are_redriven(start: Start, kind: str, size: int | str) -> None:
    policy = ALL_SETTLED | {"max_items_per_batch": size}
    trial = start(kind, 180, bad=[0, 44, 45, 179], policy=policy)
    trial.repair()

    answer = trial.redrive()

    trial.check(answer)


@pytest.mark.once
def test_five_failures_of_2500_subtasks_in_segments_are_redriven(start: Start) -> None:
    bad = [5, 17, 900, 2_000, 2_499]
    trial = start("Redriven", 2_500, bad=bad, policy={"tolerated_failure_count": 4})
    trial.repair()

    answer = trial.redrive()

    trial.check(answer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missed_quorum_is_redriven(start: Start, kind: str) -> None:
    policy = {"min_successful": 20}
    trial = start(kind, 20, bad=[2, 3, 18], shards=3, policy=policy)
    assert trial.answer
    assert "min_successful=20 cannot be reached" in error(trial.answer)
    trial.repair()

    answer = trial.redrive()

    trial.check(answer)


@pytest.mark.parametrize("on_deadline", ["fail", "answer"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_exceeded_its_deadline_is_redriven(
    start: Start, kind: str, on_deadline: str
) -> None:
    policy = {"deadline": 1, "on_deadline": on_deadline, "max_concurrency": 20}
    trial = start(kind, 150, hanging=[1, 60, 140], policy=policy)
    trial.repair()

    answer = trial.redrive(policy={"deadline": 60})

    trial.check(answer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancelled_run_is_redriven(server: Server, key: str, kind: str) -> None:
    task = {"key": key, "count": 150, "hanging": [1, 60, 140]}
    policy = {"max_concurrency": 30}
    run = server.send(kind, task | {"policy": policy})["invocationId"]
    trial = Trial(server, kind, key, 150, run)
    eventually(lambda: trial.executions().total() > 20)
    server.cancel(run)
    assert server.attach(run).status_code == 409
    trial.repair()

    answer = trial.redrive()

    trial.check(answer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_whose_aggregate_failed_executes_no_subtask_again(
    start: Start, kind: str
) -> None:
    trial = start(kind, 30, is_broken=True)
    assert trial.answer
    assert error(trial.answer) == "aggregate is broken"
    trial.repair()

    answer = trial.redrive()

    trial.check(answer)


def test_a_redrive_that_fails_is_redriven_by_its_own_id(start: Start) -> None:
    trial = start("Redriven", 20, bad=[3, 7], repairs=2)
    trial.repair()
    second = trial.redrive()
    assert second.status_code == 418
    trial.repair()

    answer = trial.redrive(second.headers["x-restate-id"])

    trial.check(answer)


def test_a_second_redrive_of_a_run_continues_the_first_one(start: Start) -> None:
    trial = start("Redriven", 20, bad=[3, 7], policy=ALL_SETTLED)
    trial.redrive(indexes=[3])
    trial.repair()
    second = trial.redrive(indexes=[3])
    assert second.status_code == 200
    assert second.json() == [n for n in range(20) if n != 7]

    answer = trial.redrive()

    trial.check(answer)


def test_two_redrives_at_the_same_time_are_one(start: Start) -> None:
    trial = start("Redriven", 100, bad=[3], hanging=[50], policy={"deadline": 1})
    trial.repair()

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(trial.redrive, policy={"deadline": 60}) for _ in "1234"]

    for answer in answers:
        trial.check(answer.result())


def test_a_run_that_a_redrive_has_completed_cannot_be_redriven(start: Start) -> None:
    trial = start("Redriven", 3, bad=[1])
    trial.repair()
    first = trial.redrive().headers["x-restate-id"]

    answer = trial.redrive()

    assert answer.status_code == 409
    message = f"{trial.run} was redriven before: the run {first} has succeeded"
    assert error(answer) == message


def test_a_redrive_may_execute_some_subtasks_only(start: Start) -> None:
    trial = start("Redriven", 20, bad=[3, 7, 9], policy=ALL_SETTLED)
    trial.repair()

    answer = trial.redrive(indexes=[3, 9])

    assert answer.json() == [n for n in range(20) if n != 7]
    assert trial.executions()["succeeded 7"] == 0


def test_subtasks_of_shards_are_selected_by_shard_and_index(start: Start) -> None:
    trial = start("RedrivenSharded", 20, bad=[3, 7, 9], shards=2, policy=ALL_SETTLED)
    trial.repair()

    answer = trial.redrive(indexes=[[0, 3]])

    assert answer.json() == [n for n in range(20) if n not in (7, 9)]


def test_a_redrive_may_leave_out_what_was_cancelled(start: Start) -> None:
    policy = ALL_SETTLED | {"deadline": 1, "on_deadline": "answer"}
    trial = start("Redriven", 10, bad=[3], hanging=[5], policy=policy)
    trial.repair()

    trial.redrive(failed_only=True)

    executions = trial.executions()
    assert executions["succeeded 3"] == 1
    assert executions["succeeded 5"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_redrive_leaves_out_counts_as_cancelled(start: Start, kind: str) -> None:
    trial = start(kind, 60, bad=[0], policy={"max_concurrency": 4})
    trial.repair()

    answer = trial.redrive(failed_only=True)

    assert answer.status_code == 409
    assert "left out of the redrive" in error(answer)
    trial.check(trial.redrive(answer.headers["x-restate-id"]))


@pytest.mark.parametrize("index", [2, 99])
def test_a_subtask_that_has_a_value_cannot_be_selected(
    start: Start, index: int
) -> None:
    trial = start("Redriven", 5, bad=[1])
    trial.repair()

    refused = trial.redrive(indexes=[index])

    assert refused.status_code == 400
    assert error(refused) == f"not a subtask without a value: {index}"
    trial.check(trial.redrive())


def test_a_redrive_has_a_policy_of_its_own(start: Start) -> None:
    trial = start("Redriven", 20, bad=[3, 7])

    answer = trial.redrive(policy={"tolerated_failure_count": 2})

    assert answer.json() == [n for n in range(20) if n not in (3, 7)]


def test_an_impossible_policy_is_refused_and_the_run_stays_redrivable(
    start: Start,
) -> None:
    trial = start("RedrivenCode", 5, bad=[1])
    trial.repair()

    refused = trial.redrive(policy={"max_items_per_batch": 5})

    assert refused.status_code == 400
    assert "cannot be executed in batches" in error(refused)
    trial.check(trial.redrive())


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        ({"run": "17"}, 400, "run: String should match pattern"),
        ({"run": "inv_1", "polcy": {}}, 400, "polcy: Extra inputs are not permitted"),
        ({"run": "inv_1", "indexes": []}, 400, "indexes: List should have at least 1"),
        ({"run": "inv_1"}, 404, "nothing is kept of the run inv_1"),
    ],
)
def test_a_wrong_request_is_refused(
    server: Server, request_: dict[str, Any], status: int, message: str
) -> None:
    answer = HTTP.post(f"{server.ingress}/Redriven/redrive", json=request_)

    assert answer.status_code == status
    assert message in error(answer)


def test_a_run_of_another_fan_out_is_refused(start: Start) -> None:
    trial = start("Redriven", 3, bad=[1])
    trial.service = "RedrivenCombined"

    answer = trial.redrive()

    assert answer.status_code == 400
    message = f"{trial.run} is a run of Redriven, not of RedrivenCombined"
    assert error(answer) == message


def test_a_run_that_succeeded_keeps_nothing(start: Start) -> None:
    trial = start("Redriven", 3)

    answer = trial.redrive()

    assert answer.status_code == 404
    assert f"nothing is kept of the run {trial.run}" in error(answer)


def test_a_run_keeps_nothing_if_its_policy_says_so(start: Start) -> None:
    trial = start("Redriven", 3, bad=[1], policy={"redrivable_for": 0})

    assert trial.redrive().status_code == 404


def test_a_run_is_forgotten_when_its_time_is_over(start: Start) -> None:
    trial = start("Redriven", 3, bad=[1], policy={"redrivable_for": 0.5})
    url = f"{trial.server.ingress}/FanOutRedrive/{trial.run}/get"

    eventually(lambda: HTTP.get(url).status_code == 404)


def test_the_progress_of_a_redrive_starts_at_what_was_kept(start: Start) -> None:
    trial = start("Redriven", 100, bad=[3], policy={"tolerated_failure_count": 0})
    trial.repair()
    kept = HTTP.get(f"{trial.server.ingress}/FanOutRedrive/{trial.run}/get").json()

    redrive = trial.redrive().headers["x-restate-id"]

    eventually(lambda: progress(trial.server, redrive).get("state") == "succeeded")
    reported = progress(trial.server, redrive)
    assert 0 < kept["succeeded"] < 100
    assert kept["total"] == 100
    assert (reported["succeeded"], reported["total"]) == (100, 100)
    assert reported["redrive_of"] == trial.run


def killed_redrive(trial: Trial, client: Client) -> str:
    """Redrive a run, and kill the redrive; return its id."""
    run = client.attach(trial.service, trial.run)
    redrive = run.redrive(Policy(deadline=timedelta(minutes=1)))
    eventually(lambda: bool(progress(trial.server, redrive.id)))
    url = f"{trial.server.admin}/invocations/{redrive.id}/kill"
    HTTP.patch(url).raise_for_status()
    return redrive.id


@pytest.mark.once
def test_a_redrive_that_was_killed_can_be_repeated(
    start: Start, client: Client
) -> None:
    trial = start("Redriven", 10, hanging=[5], policy={"deadline": 1})
    killed = killed_redrive(trial, client)
    trial.repair()

    redrive = client.attach("Redriven", trial.run).redrive()

    assert redrive.id != killed
    assert redrive.result(60) == list(range(10))


@pytest.mark.once
def test_a_redrive_that_was_killed_and_purged_can_be_repeated(
    start: Start, client: Client
) -> None:
    trial = start("Redriven", 10, hanging=[5], policy={"deadline": 1})
    killed = killed_redrive(trial, client)
    url = f"{trial.server.admin}/invocations/{killed}/purge"
    eventually(lambda: HTTP.patch(url).is_success)
    trial.repair()

    trial.check(trial.redrive())


def test_each_redrive_by_the_id_of_the_first_run_continues_the_latest(
    start: Start, client: Client
) -> None:
    trial = start("Redriven", 20, bad=[3], repairs=1)
    run = client.attach("Redriven", trial.run)
    ids: list[str] = []
    for _ in range(3):
        redrive = run.redrive()
        ids.append(redrive.id)
        with pytest.raises(RunFailed, match="3 is bad"):
            redrive.result(60)
    trial.repair()

    last = run.redrive()

    assert last.result(60) == list(range(20))
    assert len({*ids, last.id}) == 4
    with pytest.raises(NotRedrivable, match=f"{last.id} has succeeded"):
        run.redrive()


def test_a_combine_that_failed_keeps_the_values(start: Start) -> None:
    trial = start("RedrivenCombineFails", 300, shards=40)
    assert trial.answer
    assert "combine is broken" in error(trial.answer)
    trial.repair()

    answer = trial.redrive()

    assert sorted(answer.raise_for_status().json()) == list(range(300))
    executions = trial.executions()
    assert {executions[f"succeeded {number}"] for number in range(300)} == {1}


def test_a_run_whose_split_failed_is_split_again(start: Start) -> None:
    trial = start("RedrivenSplitFails", 5)
    assert trial.answer
    assert error(trial.answer) == "split is broken"
    trial.repair()

    refused = trial.redrive(indexes=[3])

    assert refused.status_code == 400
    assert "has no subtasks, because split has not returned" in error(refused)
    trial.check(trial.redrive())


def test_the_client_redrives_a_run(start: Start, client: Client) -> None:
    trial = start("Redriven", 20, bad=[3])
    run = client.attach("Redriven", trial.run)
    with pytest.raises(RunFailed):
        run.result()
    trial.repair()

    redrive = run.redrive()

    assert redrive.is_new
    assert redrive.result(60) == list(range(20))
    assert redrive.progress().redrive_of == trial.run


def test_the_client_returns_a_redrive_that_has_not_ended(
    start: Start, client: Client
) -> None:
    trial = start("Redriven", 10, hanging=[5], policy={"deadline": 0.5})
    run = client.attach("Redriven", trial.run)
    first = run.redrive()

    second = run.redrive()

    assert (second.id, second.is_new) == (first.id, False)
    trial.repair()


def test_the_client_says_why_a_run_cannot_be_redriven(
    start: Start, client: Client
) -> None:
    succeeded = start("Redriven", 3).run

    with pytest.raises(NotRedrivable, match="has succeeded: there is nothing to"):
        client.attach("Redriven", succeeded).redrive()
