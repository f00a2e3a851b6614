"""The definitions of a user: functions and their types, executors, calls."""

from typing import Any

import httpx
import pytest

from .conftest import Server, error
from .processes import LONG

INF, NAN = "inf", "nan"


def test_aggregate_receives_the_task_as_it_was_posted(server: Server) -> None:
    """Whatever `split` has made of its own."""
    task = {"name": "third", "numbers": [3, -1, 2]}

    answer = server.run("Sheets", task)

    squares = {"3": 9, "-1": "-1 is negative", "2": 4}
    reason = "ALL_COMPLETED"
    assert answer.json() == {"name": "third", "squares": squares, "reason": reason}


@pytest.mark.once
@pytest.mark.parametrize(
    "service",
    [
        "SplitSet",
        "SplitFrozenset",
        "SplitTuple",
        "SplitDeque",
        "SplitRange",
        "SplitKeys",
        "SplitBag",
        "ExpandBag",
    ],
)
def test_split_may_return_any_kind_of_iterable(server: Server, service: str) -> None:
    assert server.run(service, 0).json() == [1, 4, 9]


@pytest.mark.once
def test_a_split_that_returns_a_text_is_refused(server: Server) -> None:
    answer = server.run("SplitText", "word")

    assert answer.status_code == 500
    message = answer.json()["message"]
    assert message.startswith("split of SplitText (forgotten_list, ")
    assert message.endswith(
        ") returned a str instead of a list of items: return a list that contains it"
    )


@pytest.mark.once
@pytest.mark.parametrize("service", ["Readings", "ReadingsBatch"])
def test_a_model_reaches_the_next_function_unchanged(
    server: Server, service: str
) -> None:
    """NaN, infinity and pydantic.Json in a model that forbids what is computed."""
    answer = server.run(service, "s3cr3t")

    seen = ["nan nan {'a': 1}", "inf None None", "-1.0 nan None"]
    assert answer.json() == {"seen": seen, "count": 3}


def test_a_fan_out_is_called_from_handler_code(server: Server) -> None:
    answer = server.run("Calling", 3)

    assert [sheet["name"] for sheet in answer.json()] == ["of 0", "of 1", "of 2"]
    assert answer.json()[2]["squares"] == {"2": 4, "-2": "-2 is negative"}


def test_calls_with_one_idempotency_key_return_the_result_of_one_run(
    server: Server, key: str
) -> None:
    answers = [server.run("CallingOnce", key).json() for _ in range(2)]

    assert answers == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize(
    ("service", "task", "message"),
    [
        ("CallingMisread", 1, "the result of Sheets is not valid"),
        (
            "CallingSecretly",
            "s3cr3t",
            "the task of Readings is not valid: pydantic hides a secret",
        ),
    ],
)
def test_a_call_whose_task_or_result_would_be_changed_fails(
    server: Server, service: str, task: object, message: str
) -> None:
    answer = server.run(service, task)

    assert answer.status_code in (400, 500)
    assert message in answer.json()["message"]


@pytest.mark.parametrize("service", ["Waits", "WaitsBatch"])
def test_the_subtask_timeout_of_a_fan_out_applies_at_its_executor(
    server: Server, service: str
) -> None:
    late = server.run(service, {"seconds": 60})
    early = server.run(service, {"seconds": 0})

    assert late.json() == ["timed_out 504: it took longer than 0.5 s"] * 2
    assert early.json() == ["succeeded"]


@pytest.mark.parametrize("service", ["Tries", "TriesBatch", "Hasty", "HastyBatch"])
def test_an_attempt_timeout_of_the_fan_out_or_of_the_executor_applies(
    server: Server, service: str
) -> None:
    late = server.run(service, {"seconds": 60})
    early = server.run(service, {"seconds": 0})

    message = "timed_out 504: an attempt took longer than 0.5 s"
    assert late.json() == [message] * 2
    assert early.json() == ["succeeded"]


def test_a_subtask_timeout_applies_to_handler_code_of_an_executor(
    server: Server,
) -> None:
    late = server.run("CodePlain", {"seconds": 60})

    assert late.json() == ["timed_out 504: it took longer than 0.5 s"] * 2


@pytest.mark.parametrize(
    ("service", "complaint"),
    [
        ("CodeTimeout", "so it cannot have attempt_timeout: use subtask_timeout"),
    ],
)
def test_a_policy_that_an_executor_cannot_follow_fails_each_subtask_at_once(
    server: Server, service: str, complaint: str
) -> None:
    failures = server.run(service, {"seconds": 0}).json()

    assert len(failures) == 2
    for failure in failures:
        assert failure.startswith("failed 400: the policy of ")
        assert complaint in failure


@pytest.mark.parametrize("service", ["CodeBatch", "PausedBatch"])
def test_batches_for_an_executor_without_batches_fail_the_run_at_once(
    server: Server, service: str
) -> None:
    answer = server.run(service, {"seconds": 0})

    assert answer.status_code == 400
    assert "use max_items_per_batch=1" in answer.json()["message"]


def test_max_attempts_applies_to_handler_code_of_an_executor(
    server: Server,
) -> None:
    assert server.run("CodeAttempts", {"seconds": -1}).json() == [3, 3]


@pytest.mark.once
@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"tolerated_failure_percentage": 130}, "less than or equal to 100"),
        ({"min_successful": 0}, "greater than or equal to 1"),
        ({"min_successful": 1, "race": True}, "different rules: choose one"),
        ({"min_successful": 1, "tolerated_failure_count": 1}, "different rules"),
        ({"max_concurency": 1}, "Extra inputs are not permitted"),
        ({"deadline": 0}, "greater than 0"),
        ({"max_attempts": 5_000_000_000}, "less than or equal to"),
        ({"retry_interval_factor": 1e300}, "less than or equal to"),
    ],
)
def test_an_invalid_policy_in_a_task_is_refused(
    server: Server, key: str, policy: dict[str, Any], message: str
) -> None:
    answer = server.run("Trials", {"key": key, "count": 3, "policy": policy})

    assert answer.status_code == 400
    assert message in error(answer)
    assert server.executions(key) == 0


@pytest.mark.once
def test_a_policy_header_that_is_not_json_is_refused(server: Server) -> None:
    url = f"{server.ingress}/Squares/runSubtask"
    headers = {"x-parallelizework-policy": "rubbish"}

    answer = httpx.post(url, json=3, headers=headers, timeout=LONG)

    assert answer.status_code == 400


@pytest.mark.once
@pytest.mark.parametrize("batch", [1, 4])
def test_infinity_is_returned_unchanged(server: Server, key: str, batch: int) -> None:
    policy = {"max_items_per_batch": batch}

    answer = server.run("Rough", {"key": key, "how": "infinity", "policy": policy})

    assert answer.text == "[Infinity, Infinity, Infinity, Infinity]"


@pytest.mark.once
def test_a_model_with_aliases_can_be_a_subtask(server: Server) -> None:
    task = [{"userId": 3}, {"userId": 5}]

    assert server.run("Aliased", task).json() == [3, 5]


@pytest.mark.once
def test_a_subtask_that_looks_like_an_internal_marker_is_executed(
    server: Server,
) -> None:
    task = [{"$done": 1}, {"parallelizework.Done": 1}]

    answer = server.run("Unmarked", task)

    assert answer.json() == [{"executed": item} for item in task]


@pytest.mark.once
def test_a_typed_dict_task_may_have_a_policy(server: Server) -> None:
    task = {"count": 5, "policy": {"min_successful": 1}}

    assert len(server.run("TypedTrials", task).json()) == 1
