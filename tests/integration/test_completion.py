"""Completion rules: when a run ends, with which result, and with which outcomes.

Each rule is tried in a small run, in one of several segments and in one of batches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from .conftest import Server, error
from .processes import patiently


@dataclass(frozen=True)
class Shape:
    """How a run is coordinated."""

    service: str
    count: int
    policy: dict[str, Any]


SHAPES = {
    "small": Shape("Trials", 12, {}),
    "segments": Shape("TrialsCombined", 150, {"max_concurrency": 150}),
    "batches": Shape("Trials", 12, {"max_items_per_batch": 1_000}),
}


Trial = Callable[..., httpx.Response]


@pytest.fixture(params=SHAPES.values(), ids=list(SHAPES))
def shape(request: pytest.FixtureRequest) -> Shape:
    return request.param


@pytest.fixture
def trial(server: Server, shape: Shape, key: str) -> Trial:
    """Run a trial of a policy; hanging subtasks hang longer than the test may take."""

    def run(policy: dict[str, Any], **task: Any) -> httpx.Response:
        task |= {"key": key, "count": shape.count, "policy": shape.policy | policy}
        answer = server.run(shape.service, task)
        server.wait_until_gone(answer.headers["x-restate-id"])
        return answer

    return run


def report(answer: httpx.Response) -> tuple[list[int], list[int], str]:
    """The values, the indexes of the failures, and the reason."""
    got = answer.raise_for_status().json()
    return got["values"], [f["index"] for f in got["failures"]], got["reason"]


def test_a_run_ends_when_all_subtasks_have_succeeded(
    trial: Trial, server: Server, shape: Shape, key: str
) -> None:
    answer = trial({})

    assert report(answer) == (list(range(shape.count)), [], "ALL_COMPLETED")
    assert server.executions(key) == shape.count


def test_without_tolerance_the_first_failure_ends_the_run(trial: Trial) -> None:
    answer = trial({}, bad=[3], good=[])

    assert answer.status_code == 418
    assert error(answer).startswith("subtask 3 failed: 3 is bad (subtask: {")


def test_all_settled_returns_the_values_and_the_failures(
    trial: Trial, server: Server, shape: Shape, key: str
) -> None:
    answer = trial({"tolerated_failure_percentage": 100}, bad=[3, 7])

    values, failures, reason = report(answer)
    assert values == [n for n in range(shape.count) if n not in (3, 7)]
    assert (failures, reason) == ([3, 7], "ALL_COMPLETED")
    assert server.executions(key) == shape.count


def test_a_failure_has_its_index_subtask_status_error_and_attempts(
    trial: Trial, key: str
) -> None:
    answer = trial({"tolerated_failure_count": 1}, bad=[3])

    [failure] = answer.json()["failures"]
    assert failure == {
        "index": 3,
        "shard": None,
        "subtask": {"key": key, "number": 3, "fate": "bad", "pause": 0.0},
        "status": "failed",
        "message": "3 is bad",
        "code": 418,
        "attempts": 1,
    }


def test_a_run_that_tolerates_all_failures_succeeds_without_values(
    trial: Trial, shape: Shape
) -> None:
    everyone = list(range(shape.count))

    answer = trial({"tolerated_failure_percentage": 100}, bad=everyone)

    assert report(answer) == ([], everyone, "ALL_COMPLETED")


def test_a_run_succeeds_with_as_many_failures_as_are_tolerated(
    trial: Trial, shape: Shape
) -> None:
    answer = trial({"tolerated_failure_count": 2}, bad=[1, 3])

    values, failures, reason = report(answer)
    assert len(values) == shape.count - 2
    assert (failures, reason) == ([1, 3], "ALL_COMPLETED")


def test_one_failure_more_than_is_tolerated_fails_the_run(trial: Trial) -> None:
    answer = trial({"tolerated_failure_count": 2}, bad=[0, 5, 9], good=[])

    assert answer.status_code == 418
    assert "are tolerated; first: subtask 0 failed: 0 is bad" in error(answer)
    assert error(answer).endswith("; 2 more had failed")


def test_a_tolerated_percentage_is_of_all_subtasks(trial: Trial, shape: Shape) -> None:
    """The first to end fails: that is all of those that have ended by then."""
    answer = trial({"tolerated_failure_percentage": 10}, bad=[0], pause=0.1)

    values, failures, _ = report(answer)
    assert len(values) == shape.count - 1
    assert failures == [0]


def test_a_run_fails_once_the_tolerated_percentage_is_exceeded(
    trial: Trial, shape: Shape
) -> None:
    bad = list(range(shape.count // 10 + 1))

    answer = trial({"tolerated_failure_percentage": 10}, bad=bad, good=[])

    assert answer.status_code == 418
    assert error(answer).endswith(f"; {len(bad) - 1} more had failed")


def test_a_run_ends_with_its_first_success_where_one_is_enough(
    trial: Trial, server: Server, key: str
) -> None:
    answer = trial({"min_successful": 1}, good=[5], bad=[1])

    values, _, reason = report(answer)
    assert (values, reason) == ([5], "MIN_SUCCESSFUL_REACHED")


def test_a_run_ends_once_a_quorum_has_succeeded(trial: Trial) -> None:
    answer = trial({"min_successful": 3}, good=[2, 5, 9], bad=[1])

    values, _, reason = report(answer)
    assert (values, reason) == ([2, 5, 9], "MIN_SUCCESSFUL_REACHED")


def test_a_run_fails_once_its_quorum_cannot_be_reached(
    trial: Trial, shape: Shape
) -> None:
    answer = trial({"min_successful": shape.count - 1}, good=[2], bad=[1, 4])

    assert answer.status_code == 418
    lead = f"min_successful={shape.count - 1} cannot be reached: subtask 1 failed"
    assert error(answer).startswith(lead)


def test_a_quorum_larger_than_the_split_is_refused_before_any_execution(
    trial: Trial, shape: Shape, server: Server, key: str
) -> None:
    answer = trial({"min_successful": shape.count + 1})

    assert answer.status_code == 400
    assert f"there are {shape.count} subtasks" in error(answer)
    assert server.executions(key) == 0


def test_a_race_succeeds_when_the_first_outcome_is_a_success(trial: Trial) -> None:
    assert report(trial({"race": True}, good=[5])) == ([5], [], "FIRST_SETTLED")


def test_a_race_fails_when_the_first_outcome_is_a_failure(trial: Trial) -> None:
    answer = trial({"race": True}, bad=[5], good=[])

    assert answer.status_code == 418
    assert error(answer).startswith("race: the first outcome decides: subtask 5")


def test_a_run_fails_at_its_deadline(trial: Trial) -> None:
    answer = trial({"deadline": 1.5}, good=[5])

    assert answer.status_code == 504
    assert error(answer).startswith("the deadline of 1.5 s has passed: ")


def test_a_run_may_answer_at_its_deadline_with_the_outcomes_so_far(
    trial: Trial, shape: Shape
) -> None:
    # A batch has no outcome until its end.
    is_batch = "max_items_per_batch" in shape.policy

    def answered(times: float) -> tuple[list[int], list[int], str]:
        policy = {"deadline": 1.5 * times, "on_deadline": "answer"}
        policy["tolerated_failure_count"] = 9
        return report(trial(policy, good=[2, 5], bad=[7]))

    values, failures, reason = patiently(
        answered, lambda found: is_batch or found[0] == [2, 5]
    )

    assert reason == "DEADLINE_EXCEEDED"
    assert is_batch or values == [2, 5]
    assert sorted([*values, *failures]) == list(range(shape.count))


def test_a_subtask_without_an_outcome_at_the_deadline_is_cancelled(
    server: Server, key: str
) -> None:
    policy = {"deadline": 1, "on_deadline": "answer"}
    task = {"key": key, "count": 3, "good": [], "known": [1], "policy": policy}

    answered = server.run("TrialsSharded", task).json()

    assert answered["values"] == [1, 1]
    assert [
        (each["shard"], each["index"], each["status"], each["code"])
        for each in answered["failures"]
    ] == [(shard, index, "cancelled", 504) for shard in (0, 1) for index in (0, 2)]


def test_batches_in_several_segments_follow_the_completion_rule(
    server: Server, key: str
) -> None:
    """A batch is one step: its outcomes count when it has ended.

    Where few are wanted, most hang, so that no more than a window of them begin.
    """
    task = {"key": key, "count": 150, "bad": [3, 70], "pause": 0.01}
    policy = {"max_items_per_batch": 2, "max_concurrency": 10}

    few = {"min_successful": 20} | policy
    enough = server.run("TrialsCombined", task | {"policy": few, "good": [*range(24)]})
    executed = server.executions(key)
    both = {"tolerated_failure_count": 2} | policy
    tolerated = server.run("TrialsCombined", task | {"policy": both})
    failed = server.run("TrialsCombined", task | {"policy": policy})

    assert 20 <= len(report(enough)[0]) < 24
    assert executed <= 24 + 10
    assert report(tolerated)[1:] == ([3, 70], "ALL_COMPLETED")
    assert error(failed).startswith("subtask 3 failed: 3 is bad")


def test_a_subtask_that_is_done_already_is_not_executed(
    trial: Trial, server: Server, shape: Shape, key: str
) -> None:
    answer = trial({}, known=[0, 3])

    assert report(answer) == (list(range(shape.count)), [], "ALL_COMPLETED")
    assert server.executions(key) == shape.count - 2


def test_a_subtask_that_is_done_already_counts_as_succeeded(
    trial: Trial, shape: Shape
) -> None:
    answer = trial({"min_successful": 2}, known=[3, 6], good=[])

    assert report(answer) == ([3, 6], [], "MIN_SUCCESSFUL_REACHED")


def test_no_more_subtasks_are_executed_than_the_quorum_needs(
    server: Server, key: str
) -> None:
    policy = {"min_successful": 3, "max_concurrency": 1}

    answer = server.run("Trials", {"key": key, "count": 9, "policy": policy})

    assert report(answer)[0] == [0, 1, 2]
    assert server.executions(key) == 3


def test_one_success_ends_a_run_of_a_thousand_subtasks(
    server: Server, key: str
) -> None:
    task = {"key": key, "count": 1_000, "good": [5], "policy": {"min_successful": 1}}

    answer = server.run("Trials", task)

    assert report(answer) == ([5], [], "MIN_SUCCESSFUL_REACHED")
    server.wait_until_gone(answer.headers["x-restate-id"])


def test_a_quorum_over_several_segments_ends_the_run_soon(
    server: Server, key: str
) -> None:
    policy, good = {"min_successful": 100}, [*range(500)]
    task = {"key": key, "count": 3_000, "good": good, "policy": policy}

    answer = server.run("Trials", task)

    assert len(report(answer)[0]) == 100
    assert server.executions(key) < 1_000


@pytest.mark.parametrize(
    ("service", "shards"), [("Trials", 1), ("TrialsCombined", 1), ("TrialsSharded", 2)]
)
def test_all_other_subtasks_are_executed_while_some_hang(
    server: Server, key: str, service: str, shards: int
) -> None:
    """One slot in ten is left for them, in this segment and in the next."""
    policy = {"min_successful": 141 * shards, "max_concurrency": 10 * shards}
    task = {"key": key, "count": 150, "good": [*range(9, 150)], "policy": policy}

    answer = server.run(service, task)

    expected = [*range(9, 150)] * shards
    assert report(answer) == (expected, [], "MIN_SUCCESSFUL_REACHED")
    assert server.executions(key) == 150 * shards


def test_the_tolerance_is_for_the_failures_of_all_shards_together(
    server: Server, key: str
) -> None:
    task = {"key": key, "count": 4, "bad": [1]}

    fine = server.run(
        "TrialsSharded", task | {"policy": {"tolerated_failure_count": 2}}
    )
    share = {"tolerated_failure_percentage": 25}
    also_fine = server.run("TrialsSharded", task | {"policy": share})
    too_many = {"tolerated_failure_percentage": 24}
    failed = server.run("TrialsSharded", task | {"policy": too_many})

    assert report(fine) == report(also_fine)
    assert report(fine) == ([0, 2, 3] * 2, [1, 1], "ALL_COMPLETED")
    assert [failure["shard"] for failure in fine.json()["failures"]] == [0, 1]
    assert "; first: subtask 1 of shard 0 failed: 1 is bad" in error(failed)


def test_a_run_fails_when_its_shards_have_fewer_subtasks_than_the_quorum(
    server: Server, key: str
) -> None:
    task = {"key": key, "count": 2, "policy": {"min_successful": 5}}

    answer = server.run("TrialsSharded", task)

    assert answer.status_code == 400
    assert error(answer) == "min_successful=5 cannot be reached: only 4 succeeded"


@pytest.mark.parametrize("enough", [100, 140, 149])
def test_values_that_are_being_combined_are_kept_when_a_quorum_is_reached(
    server: Server, key: str, enough: int
) -> None:
    policy = {"min_successful": enough, "max_concurrency": 150}
    task = {"key": key, "count": 150, "policy": policy}

    values, failures, reason = report(server.run("TrialsSlowlyCombined", task))

    assert enough <= len(values) <= 150
    assert values == sorted(values)
    assert (failures, reason) == ([], "MIN_SUCCESSFUL_REACHED")


def test_values_that_are_being_combined_are_kept_at_the_deadline(
    server: Server, key: str
) -> None:
    good = list(range(20))
    task = {"key": key, "count": 30, "good": good}

    def answered(times: float) -> tuple[list[int], list[int], str]:
        policy = {"deadline": 1.5 * times, "on_deadline": "answer"}
        policy["max_concurrency"] = 30
        return report(server.run("TrialsSlowlyCombined", task | {"policy": policy}))

    values, _, reason = patiently(answered, lambda found: found[0] == good)

    assert (values, reason) == (good, "DEADLINE_EXCEEDED")


def test_a_deadline_also_limits_the_split(server: Server, key: str) -> None:
    policy = {"deadline": 0.5}

    answer = server.run("Rough", {"key": key, "how": "split", "policy": policy})

    assert answer.status_code == 504
    assert server.executions(key) == 0
