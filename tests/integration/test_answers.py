"""Subtasks wait for answers from outside, without a slot."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from parallelizework.client import Client, Run, WaitingSubtask
from parallelizework.errors import Refused, RunFailed, UnfitData

from .conftest import HTTP, Server, error
from .processes import eventually
from .test_progress import progress

ALL_SETTLED = {"tolerated_failure_percentage": 100}
KINDS = ["Answered", "AnsweredSharded", "AnsweredCombined", "AnsweredExecutor"]


class Trial:
    """A run whose subtasks wait."""

    def __init__(
        self, server: Server, client: Client, service: str, key: str, **task: Any
    ) -> None:
        self.server, self.client, self.key = server, client, key
        self.count: int = task["count"]
        self.run: Run[Any] = client.submit(service, {"key": key} | task)

    def waiting(self, count: int) -> list[WaitingSubtask]:
        """Wait until so many subtasks wait, and return them."""
        found: list[WaitingSubtask] = []

        def all_wait() -> bool:
            found[:] = self.run.waiting()
            return len(found) == count

        eventually(all_wait)
        return found

    def lines(self, start: str) -> Counter[str]:
        """How often each line of the ledger is there."""
        lines = self.server.run("AnsweredLedger", self.key).json()
        return Counter(line for line in lines if line.startswith(start))

    def deliver(self, key: str, data: object, id_: str | None = None) -> None:
        event = {"id": id_, "data": data}
        url = f"{self.server.ingress}/Deliverer/deliver"
        HTTP.post(url, json={"key": key, "event": event}).raise_for_status()


Start = Callable[..., Trial]


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.ingress, server.admin) as client:
        yield client


@pytest.fixture
def start(server: Server, client: Client, key: str) -> Start:
    def started(service: str, **task: Any) -> Trial:
        return Trial(server, client, service, key, **task)

    return started


def number_of(waiting: WaitingSubtask) -> int:
    """The number of a subtask; a run of 20 with shards has four in each."""
    return (waiting.shard or 0) * 4 + waiting.index


@pytest.mark.parametrize("kind", KINDS)
def test_a_subtask_that_waits_succeeds_with_its_answer(
    start: Start, client: Client, kind: str
) -> None:
    trial = start(kind, count=20, ready=[3, 19])

    for each in trial.waiting(18):
        assert client.answer(each.key, [number_of(each)]).is_first

    assert sorted(trial.run.result(30)) == list(range(20))
    assert len(trial.lines("executed")) == 20


@pytest.mark.parametrize("kind", ["Answered", "AnsweredExecutor"])
def test_hundreds_of_subtasks_wait_at_the_same_time(
    start: Start, client: Client, kind: str
) -> None:
    trial = start(kind, count=300, policy={"max_concurrency": 10})

    def answer(waiting: WaitingSubtask) -> bool:
        return client.answer(waiting.key, [waiting.index]).is_first

    waiting = trial.waiting(300)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(answer, waiting))

    assert all(answers)
    assert trial.run.result(60) == list(range(300))


def test_a_subtask_that_waits_has_no_slot(start: Start) -> None:
    trial = start("Answered", count=10, policy={"max_concurrency": 1})

    assert len(trial.waiting(10)) == 10
    trial.run.cancel()


def test_the_slots_of_a_segment_that_waits_are_used_elsewhere(start: Start) -> None:
    policy = {"max_concurrency": 17}
    trial = start("Answered", count=400, ready=list(range(300, 400)), policy=policy)

    assert len(trial.waiting(300)) == 300
    eventually(lambda: progress(trial.server, trial.run.id)["succeeded"] == 100)
    trial.run.cancel()


def test_progress_counts_the_subtasks_that_wait(start: Start, client: Client) -> None:
    trial = start("Answered", count=5, ready=[2])
    first, *_ = trial.waiting(4)
    eventually(lambda: trial.run.progress().waiting == 4)

    client.answer(first.key, [0])
    eventually(lambda: trial.run.progress().waiting == 3)

    assert trial.run.progress().succeeded == 2
    trial.run.cancel()
    eventually(lambda: trial.run.progress().state == "cancelled")
    assert trial.run.progress().waiting == 0


def test_a_subtask_without_an_answer_times_out(start: Start) -> None:
    trial = start("Answered", count=2, ready=[1], within=0.3)

    with pytest.raises(RunFailed, match=r"no answer came within 0\.3 s") as failed:
        trial.run.result(30)

    assert failed.value.status == 504
    [failure] = trial.run.failures()
    assert (failure.index, failure.status) == (0, "timed_out")


def test_an_answer_may_be_a_failure(start: Start, client: Client) -> None:
    trial = start("Answered", count=2, ready=[1])
    [waiting] = trial.waiting(1)

    client.answer_failure(waiting.key, "declined", code=402)

    with pytest.raises(RunFailed, match="declined") as failed:
        trial.run.result(30)
    assert failed.value.status == 402


def test_the_failure_may_be_only_a_text(
    start: Start, server: Server, client: Client
) -> None:
    trial = start("Answered", count=1)
    [waiting] = trial.waiting(1)

    answered(server, waiting.key, "fail", "declined").raise_for_status()

    with pytest.raises(RunFailed, match="declined"):
        trial.run.result(30)


def answered(server: Server, key: str, handler: str, body: object) -> httpx.Response:
    return HTTP.post(f"{server.ingress}/FanOutAnswers/{key}/{handler}", json=body)


@pytest.mark.parametrize("body", ["text", {"a": 1}, [1, "x"], None])
@pytest.mark.parametrize("kind", ["Answered", "AnsweredExecutor"])
def test_an_answer_of_another_type_is_refused_and_changes_nothing(
    start: Start, server: Server, client: Client, kind: str, body: object
) -> None:
    trial = start(kind, count=1)
    [waiting] = trial.waiting(1)

    refused = answered(server, waiting.key, "succeed", body)

    assert refused.status_code == 400
    assert "the answer for a subtask of Answered" in error(refused)
    with pytest.raises(UnfitData):
        client.answer(waiting.key, body)
    client.answer(waiting.key, [0])
    assert trial.run.result(30) == [0]


@pytest.mark.parametrize(
    "body", [{"code": 402}, {"message": "no", "code": 200}, {"text": "no"}, 7]
)
def test_a_failure_of_another_form_is_refused(
    start: Start, server: Server, client: Client, body: object
) -> None:
    trial = start("Answered", count=1)
    [waiting] = trial.waiting(1)

    assert answered(server, waiting.key, "fail", body).status_code == 400

    client.answer(waiting.key, [0])
    assert trial.run.result(30) == [0]


def test_an_answer_that_is_no_json_is_refused(start: Start, server: Server) -> None:
    trial = start("Answered", count=1)
    [waiting] = trial.waiting(1)
    url = f"{server.ingress}/FanOutAnswers/{waiting.key}/succeed"

    assert HTTP.post(url, content=b"[1").status_code == 400
    assert HTTP.post(url).status_code == 400

    trial.run.cancel()


def test_the_first_answer_counts(start: Start, server: Server, client: Client) -> None:
    trial = start("Answered", count=2)
    first, _ = trial.waiting(2)
    client.answer(first.key, [0])

    again = client.answer(first.key, [0])
    other = answered(server, first.key, "succeed", [1])
    failure = answered(server, first.key, "fail", "too late")

    assert not again.is_first
    assert (other.status_code, failure.status_code) == (409, 409)
    assert "has another answer already" in error(other)
    trial.run.cancel()


def test_only_one_of_many_different_answers_counts(
    start: Start, server: Server
) -> None:
    trial = start("Answered", count=1)
    [waiting] = trial.waiting(1)

    def code(number: int) -> int:
        return answered(server, waiting.key, "succeed", [number]).status_code

    with ThreadPoolExecutor(16) as pool:
        codes = Counter(pool.map(code, range(16)))

    assert codes == {200: 1, 409: 15}
    assert len(trial.run.result(30)) == 1


def test_an_answer_may_come_before_the_subtask_waits(
    start: Start, client: Client
) -> None:
    trial = start("Answered", count=1, pause=2)
    eventually(lambda: bool(trial.lines("executed")))
    [line] = trial.lines("executed")
    key = line.split()[-1]

    early = client.answer(key, [0])

    assert (early.is_first, early.is_waiting) == (True, False)
    assert trial.run.result(30) == [0]


def test_an_answer_after_the_end_of_the_wait_is_refused(
    start: Start, server: Server, client: Client
) -> None:
    trial = start("Answered", count=1, within=2, policy=ALL_SETTLED)
    [waiting] = trial.waiting(1)
    trial.run.result(30)

    late = answered(server, waiting.key, "succeed", [0])

    assert late.status_code == 410
    assert error(late) == "the subtask no longer waits for an answer: it timed out"
    with pytest.raises(Refused, match="no longer waits"):
        client.answer(waiting.key, [0])


@pytest.mark.parametrize("key", ["x", "Answered", "Answered-inv", "inv_1abc"])
def test_a_key_of_no_subtask_is_refused(server: Server, key: str) -> None:
    unknown = answered(server, key, "succeed", [0])

    assert unknown.status_code == 404
    assert "is not the key of a subtask" in error(unknown)


def test_the_keys_of_subtasks_are_random(start: Start) -> None:
    trial = start("Answered", count=30)
    ids = [each.key.partition("inv_")[2] for each in trial.waiting(30)]

    longest = max(
        len(common_end(one, other)) for n, one in enumerate(ids) for other in ids[:n]
    )

    assert longest < 8
    trial.run.cancel()


def common_end(one: str, other: str) -> str:
    """The longest text with which both texts end."""
    length = 0
    while one[-length - 1 :] == other[-length - 1 :]:
        length += 1
    return one[len(one) - length :]


@pytest.mark.once
def test_reminders_are_sent_until_the_answer(start: Start, client: Client) -> None:
    trial = start("Answered", count=1, remind_every=0.3)
    eventually(lambda: len(trial.lines("reminded")) >= 2)
    [waiting] = trial.waiting(1)

    client.answer(waiting.key, [0])

    assert trial.run.result(30) == [0]
    sent = trial.lines("reminded")
    assert sent == {f"reminded 0 {n} False": 1 for n in range(1, len(sent) + 1)}


@pytest.mark.parametrize(
    ("reminders", "within", "count"), [(2, 2.0, 2), (None, 1.0, 3), (9, 1.0, 3)]
)
def test_reminders_are_counted_exactly(
    start: Start, reminders: int | None, within: float, count: int
) -> None:
    trial = start(
        "Answered", count=2, remind_every=0.3, reminders=reminders, within=within
    )

    with pytest.raises(RunFailed, match="no answer"):
        trial.run.result(30)

    assert trial.lines("reminded") == {
        f"reminded {subtask} {number} {number == count}": 1
        for subtask in range(2)
        for number in range(1, count + 1)
    }


@pytest.mark.parametrize(("remind", "calls"), [("fail", 1), ("retry", 2)])
def test_a_reminder_that_fails_does_not_end_the_wait(
    start: Start, client: Client, remind: str, calls: int
) -> None:
    trial = start("Answered", count=1, remind_every=0.2, reminders=2, remind=remind)
    eventually(lambda: trial.lines("reminded").total() == 2 * calls)
    [waiting] = trial.waiting(1)

    client.answer(waiting.key, [0])

    assert trial.run.result(30) == [0]


def test_an_answer_need_not_wait_for_another_attempt_at_a_reminder(
    start: Start, client: Client
) -> None:
    trial = start("Answered", count=1, remind_every=0.2, remind="late")
    eventually(lambda: trial.lines("reminded").total() == 1)
    [waiting] = trial.waiting(1)

    client.answer(waiting.key, [0])

    assert trial.run.result(30) == [0]


def test_a_wait_ends_in_time_while_a_reminder_is_tried_again(start: Start) -> None:
    trial = start("Answered", count=1, remind_every=0.2, remind="late", within=1)

    with pytest.raises(RunFailed, match="no answer came within 1 s"):
        trial.run.result(30)


def test_an_answer_need_not_wait_for_a_reminder(start: Start, client: Client) -> None:
    trial = start("Answered", count=1, remind_every=0.5, remind="hang")
    [waiting] = trial.waiting(1)
    eventually(lambda: bool(trial.lines("reminded")))

    client.answer(waiting.key, [0])

    assert trial.run.result(30) == [0]


def test_a_wait_ends_in_time_while_a_reminder_executes(start: Start) -> None:
    trial = start("Answered", count=1, within=2, remind_every=0.5, remind="hang")

    with pytest.raises(RunFailed, match="no answer came within 2 s"):
        trial.run.result(30)


@pytest.mark.parametrize("kind", KINDS)
def test_subtasks_that_wait_are_cancelled_with_their_run(
    start: Start, server: Server, kind: str
) -> None:
    trial = start(kind, count=20)
    waiting = trial.waiting(20)

    trial.run.cancel()

    with pytest.raises(RunFailed, match="cancelled"):
        trial.run.result(30)
    server.wait_until_gone(trial.run.id)
    late = answered(server, waiting[0].key, "succeed", [0])
    assert (late.status_code, error(late)) == (
        410,
        "the subtask no longer waits for an answer: it was cancelled",
    )


def test_a_failure_cancels_the_subtasks_that_wait(
    start: Start, server: Server, client: Client
) -> None:
    trial = start("Answered", count=5)
    first, second, *_ = trial.waiting(5)

    client.answer_failure(first.key, "declined", code=402)

    with pytest.raises(RunFailed, match="declined"):
        trial.run.result(30)
    assert answered(server, second.key, "succeed", [1]).status_code == 410


def test_enough_answers_end_the_run(
    start: Start, server: Server, client: Client
) -> None:
    trial = start("Answered", count=5, policy={"min_successful": 2})
    first, second, third, *_ = trial.waiting(5)

    client.answer(third.key, [2])
    client.answer(first.key, [0])

    assert trial.run.result(30) == [0, 2]
    assert answered(server, second.key, "succeed", [1]).status_code == 410


def test_a_deadline_ends_the_wait(start: Start, client: Client) -> None:
    policy = {"deadline": 2, "on_deadline": "answer"}
    trial = start("Answered", count=3, policy=policy)
    first, *_ = trial.waiting(3)

    client.answer(first.key, [0])

    assert trial.run.result(30) == [0]


def test_the_timeout_of_a_subtask_includes_its_wait(start: Start) -> None:
    policy = {"subtask_timeout": 0.7}
    trial = start("Answered", count=1, policy=policy)

    with pytest.raises(RunFailed, match=r"it took longer than 0\.7 s"):
        trial.run.result(30)


@pytest.mark.once
def test_a_paused_run_receives_its_answers_when_it_is_resumed(
    start: Start, client: Client
) -> None:
    trial = start("Answered", count=3)
    waiting = trial.waiting(3)
    trial.run.pause()

    for each in waiting:
        assert client.answer(each.key, [each.index]).is_first
    trial.run.resume()

    assert trial.run.result(30) == [0, 1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_redrive_waits_again_for_the_subtasks_without_an_answer(
    start: Start, server: Server, client: Client, kind: str
) -> None:
    trial = start(kind, count=20, policy=ALL_SETTLED | {"tolerated_failure_count": 0})
    for each in trial.waiting(20):
        if number_of(each) < 15:
            client.answer(each.key, [number_of(each)])
    left = trial.waiting(5)
    client.answer_failure(left[0].key, "declined")
    with pytest.raises(RunFailed, match="declined"):
        trial.run.result(30)

    redrive = trial.run.redrive()
    eventually(lambda: len(redrive.waiting()) == 5)
    again = list(redrive.waiting())
    for each in again:
        client.answer(each.key, [number_of(each)])

    assert sorted(redrive.result(30)) == list(range(20))
    assert not {each.key for each in left} & {each.key for each in again}
    assert len(trial.lines("executed")) == 25


def test_outcomes_of_subtasks_that_waited_are_streamed(
    start: Start, client: Client
) -> None:
    trial = start("Answered", count=3, policy={"stream": True})
    for each in trial.waiting(3):
        client.answer(each.key, [each.index])

    outcomes = list(trial.run.outcomes())

    assert sorted(each.index for each in outcomes) == [0, 1, 2]


def test_subtasks_that_wait_are_listed(start: Start) -> None:
    trial = start("Answered", count=3, ready=[1])
    trial.waiting(2)

    listed = trial.run.subtasks("waiting")

    assert [(each.index, each.status) for each in listed] == [
        (0, "waiting"),
        (2, "waiting"),
    ]
    assert len(trial.run.waiting(limit=1)) == 1
    assert trial.run.waiting(limit=1).more == 1
    trial.run.cancel()


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_becomes_the_value_of_the_subtask_that_waits(
    start: Start, key: str, kind: str
) -> None:
    trial = start(kind, count=20, event=key)
    assert {each.key for each in trial.waiting(20)} == {f"{key}/{n}" for n in range(20)}

    for number in range(20):
        trial.deliver(f"{key}/{number}", number, f"evt_{number}")

    assert sorted(trial.run.result(30)) == list(range(20))
    assert trial.lines("received") == {f"received {n} evt_{n}": 1 for n in range(20)}


def test_an_event_may_come_before_its_run(
    start: Start, key: str, server: Server
) -> None:
    early = start("Answered", count=1, ready=[0])
    early.deliver(f"{key}/0", 7, "evt_1")
    early.deliver(f"{key}/0", 7, "evt_1")

    trial = start("Answered", count=1, event=key)

    assert trial.run.result(30) == [7]


def test_an_event_counts_once(start: Start, key: str) -> None:
    trial = start("Answered", count=1, event=key)
    trial.waiting(1)
    trial.deliver(f"{key}/0", 7, "evt_1")
    assert trial.run.result(30) == [7]

    trial.deliver(f"{key}/0", 8, "evt_1")
    again = start("Answered", count=1, event=key)
    again.waiting(1)
    again.deliver(f"{key}/0", 9, "evt_2")

    assert again.run.result(30) == [9]


def test_an_event_reaches_all_subtasks_that_wait_for_its_key(
    start: Start, key: str
) -> None:
    trials = [start("Answered", count=1, event=key) for _ in range(3)]
    for trial in trials:
        trial.waiting(1)

    trials[0].deliver(f"{key}/0", 7, "evt_1")

    assert [trial.run.result(30) for trial in trials] == [[7], [7], [7]]


def test_an_event_may_fail_the_subtask(start: Start, key: str) -> None:
    trial = start("Answered", count=1, event=key)
    trial.waiting(1)

    trial.deliver(f"{key}/0", "declined")

    with pytest.raises(RunFailed, match="declined") as failed:
        trial.run.result(30)
    assert failed.value.status == 402


def test_without_receive_the_data_of_the_event_is_the_value(
    start: Start, key: str
) -> None:
    trial = start("AnsweredByData", count=2, event=key, policy=ALL_SETTLED)
    trial.waiting(2)

    trial.deliver(f"{key}/0", [0])
    trial.deliver(f"{key}/1", "no list")

    assert trial.run.result(30) == [0]
    [failure] = trial.run.failures()
    assert "a value of AnsweredByData" in failure.message


def test_a_subtask_that_waits_for_an_event_times_out(start: Start, key: str) -> None:
    trial = start("Answered", count=1, event=key, within=0.4)

    with pytest.raises(RunFailed, match=r"no answer came within 0\.4 s"):
        trial.run.result(30)

    trial.deliver(f"{key}/0", 7)  # nobody waits: it is kept
    again = start("Answered", count=1, event=key)
    assert again.run.result(30) == [7]
