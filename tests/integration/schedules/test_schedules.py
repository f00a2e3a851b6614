"""Schedules on a real server with two workers: overlap, pause, changes, outages."""

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from time import sleep, time

import pytest
from pydantic import JsonValue

from parallelizework.client import Client, healthy
from parallelizework.errors import Refused, UnfitData, UnknownFanOut, UnknownSchedule
from parallelizework.schedules.models import Missed, Overlap
from tests.faults.site import site
from tests.integration.conftest import ROOT
from tests.integration.fan_outs.ledger import repair
from tests.integration.processes import eventually, running
from tests.ports import free_ports

from .conftest import TARGETS, Schedules, steps
from .fan_out import Job, lines, scheduled

SECOND = "every 1s"


@pytest.mark.parametrize("overlap", ["skip", "queue", "replace"])
def test_two_runs_never_overlap(
    schedules: Schedules, key: str, overlap: Overlap
) -> None:
    known = schedules.client.schedules
    job: JsonValue = {"key": key, "waits": True}

    known.set(key, SECOND, "Scheduled", job, overlap=overlap, time_field="time")
    if overlap == "skip":
        eventually(lambda: known.get(key).skipped >= 2)
        states = [run.state for run in known.get(key).runs]
        assert not states
    if overlap == "queue":
        eventually(lambda: len(known.get(key).queue) >= 2)
    if overlap == "replace":
        eventually(lambda: len(known.get(key).runs) >= 2)
        assert {run.state for run in known.get(key).runs} == {"cancelled"}
    assert len(known.get(key).running) <= 1
    repair(key)
    eventually(
        lambda: [run.state for run in known.get(key).runs].count("succeeded") >= 3
    )
    known.delete(key)

    found = lines.of(key)
    if overlap != "replace":  # a cancelled run has no end
        assert all(line.startswith("begin") for line in found[::2])
        assert all(line.startswith("end") for line in found[1::2])
    begun = [line for line in found if line.startswith("begin")]
    assert begun == sorted(set(begun))


def test_runs_overlap_if_the_schedule_allows_it(schedules: Schedules, key: str) -> None:
    known = schedules.client.schedules

    known.set(key, SECOND, scheduled, Job(key=key, waits=True), overlap="allow")
    eventually(lambda: len(known.get(key).running) >= 3)
    known.pause(key)
    repair(key)

    eventually(lambda: not known.get(key).running)
    found = known.get(key)
    assert {run.state for run in found.runs} == {"succeeded"}
    assert found.skipped == 0
    known.delete(key)


def test_a_paused_schedule_starts_no_run_but_can_be_triggered(
    schedules: Schedules, key: str
) -> None:
    known = schedules.client.schedules
    known.set(key, SECOND, "Scheduled", {"key": key})
    eventually(lambda: bool(known.get(key).runs))

    known.pause(key)
    before = schedules.times(key)
    run = known.trigger(key)

    assert run
    assert schedules.client.attach(scheduled, run).result(60) == "None"
    eventually(lambda: known.get(key).runs[0].cause == "trigger")
    labeled = schedules.client.recent(labels={"schedule": key})
    assert run in [each.run for each in labeled]
    paused = known.get(key)
    assert paused.is_paused
    assert paused.next is None
    assert schedules.timers(key) == 0
    known.resume(key)
    known.resume(key)  # again: it changes nothing
    eventually(lambda: len(known.get(key).runs) > len(paused.runs) + 1)
    after = [run.time for run in known.get(key).runs if run.cause == "schedule"]
    assert len(set(after)) == len(after) > len(before)
    known.delete(key)


def test_a_deleted_schedule_leaves_nothing_but_its_run(
    schedules: Schedules, key: str
) -> None:
    known = schedules.client.schedules
    known.set(key, SECOND, "Scheduled", {"key": key, "waits": True})
    eventually(lambda: bool(known.get(key).running))
    run = known.get(key).running[0].run
    assert run

    known.delete(key)

    with pytest.raises(UnknownSchedule, match="there is no schedule"):
        known.get(key)
    assert schedules.timers(key) == 0
    assert key not in [each.name for each in known.list()]
    repair(key)
    assert schedules.client.attach(scheduled, run).result(60) == "None"
    with pytest.raises(UnknownSchedule):
        known.delete(key)


def test_a_trigger_is_refused_while_a_run_may_not_be_overlapped(
    schedules: Schedules, key: str
) -> None:
    known = schedules.client.schedules
    known.set(key, "@yearly", "Scheduled", {"key": key, "waits": True})

    first = known.trigger(key)

    with pytest.raises(Refused, match=f"{first}.*wait for the end of the run"):
        known.trigger(key)
    job: JsonValue = {"key": key, "waits": True}
    known.set(key, "@yearly", "Scheduled", job, overlap="queue")
    assert known.trigger(key) is None
    repair(key)
    eventually(lambda: len(known.get(key).runs) == 2)
    known.delete(key)


def test_a_schedule_learns_the_end_of_a_run_also_if_its_message_was_killed(
    schedules: Schedules, key: str
) -> None:
    client = schedules.client
    job: JsonValue = {"key": key, "waits": True}
    client.schedules.set(key, "@yearly", "Scheduled", job)
    run = client.schedules.trigger(key)

    for how in ("cancel", "kill"):
        eventually(lambda: len(schedules.following(key)) == 1)
        schedules.stop(schedules.following(key)[0], how)
        eventually(lambda: not schedules.following(key))
        assert [each.run for each in client.schedules.get(key).running] == [run]
        client.schedules.set(key, "@yearly", "Scheduled", job)
    repair(key)

    eventually(lambda: not client.schedules.get(key).running)
    assert [each.state for each in client.schedules.get(key).runs] == ["succeeded"]
    client.schedules.delete(key)


def test_a_schedule_keeps_numbers_that_json_does_not_have(
    schedules: Schedules, key: str
) -> None:
    known = schedules.client.schedules
    job: JsonValue = {"key": key, "limit": math.inf}

    known.set(key, "@yearly", "Scheduled", job)
    known.trigger(key)

    eventually(lambda: len(known.get(key).runs) == 1)
    assert lines.of(key)[0] == "limit inf"
    known.delete(key)


def test_the_same_values_again_change_nothing(schedules: Schedules, key: str) -> None:
    known = schedules.client.schedules

    answers = [
        known.set(key, cron, "Scheduled", {"key": key}, zone=zone).status
        for cron, zone in [
            ("0 3 * * *", "UTC"),
            ("0 3 * * *", "UTC"),
            ("0 3 * * *", "Europe/Berlin"),
            ("0 4 * * *", "Europe/Berlin"),
            ("0 4 * * *", "Europe/Berlin"),
        ]
    ]

    assert answers == ["created", "unchanged", "changed", "changed", "unchanged"]
    assert schedules.timers(key) == 1
    known.delete(key)


def test_a_schedule_that_is_changed_while_ticks_are_due_starts_each_time_once(
    schedules: Schedules, key: str
) -> None:
    known, random = schedules.client.schedules, Random(0)

    for number in range(30):
        # At a random moment around a tick: most changes come when a tick is due.
        until = round(time() + 0.5) + random.uniform(-0.02, 0.02)
        sleep(max(0, until - time()))
        task: JsonValue = {"key": f"{key}-{number}"}
        known.set(key, SECOND, "Scheduled", task, overlap="allow", missed="all")
    eventually(lambda: known.get(key).last is not None)
    last = known.get(key)
    known.delete(key)

    times = schedules.times(key)
    assert steps(times) == {1}
    assert times[-1] == last.last
    assert schedules.timers(key) == 0


def test_a_backfill_starts_a_run_for_each_time_one_after_the_other(
    schedules: Schedules, key: str
) -> None:
    known = schedules.client.schedules
    zone, cron = "Europe/Berlin", "30 2 * * *"
    known.set(key, cron, "Scheduled", {"key": key}, zone=zone, time_field="time")

    # From 02:00 to 03:00 on 29 March 2026.
    count = known.backfill(key, datetime(2026, 3, 28), datetime(2026, 3, 31))

    assert count == 3
    eventually(lambda: len(known.get(key).runs) == 3)
    assert lines.of(key) == [
        f"{what} 2026-03-{when}"
        for when in ("28 02:30:00+01:00", "29 03:00:00+02:00", "30 02:30:00+02:00")
        for what in ("begin", "end")
    ]
    assert {run.cause for run in known.get(key).runs} == {"backfill"}
    known.delete(key)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2026-01-01T01:00", "2026-01-01T02:00", "use a longer period"),
        ("2026-01-02", "2026-01-01", "use a later end"),
        ("0001-01-01", "2026-01-01", "use a later start"),
        ("0001-01-01T00:00+14:00", "0001-01-01", "use a later start"),
        ("2020-01-01", "2026-01-01", "use several shorter periods"),
        ("2026-01-01", "2999-01-01", "in the future"),
    ],
)
def test_the_period_of_a_backfill_is_checked(
    schedules: Schedules, key: str, start: str, end: str, message: str
) -> None:
    known = schedules.client.schedules
    known.set(key, "@daily", "Scheduled", {"key": key})
    period = datetime.fromisoformat(start), datetime.fromisoformat(end)

    with pytest.raises(UnfitData, match=message):
        known.backfill(key, *period)

    known.delete(key)


@pytest.mark.parametrize(
    ("name", "changes", "status", "message"),
    [
        ("a", {"cron": "61 * * * *"}, 400, "Bad minute. A valid example is"),
        ("a", {"cron": ""}, 400, "cron: String should have at least 1 character"),
        ("a", {"zone": "Mars"}, 400, "use a name such as 'Europe/Berlin'"),
        ("a", {"overlap": "never"}, 400, "'skip', 'queue', 'replace' or 'allow'"),
        ("a", {"missed": 1}, 400, "'one', 'all' or 'skip'"),
        ("a", {"seconds": 1}, 400, "seconds"),
        ("a", {"fan_out": "Nothing"}, 400, "no worker serves a fan-out 'Nothing'"),
        ("a", {"time_field": "t", "task": []}, 400, "the task is a JSON object"),
        ("a", {"task": "x" * 300_000}, 413, "pass a reference instead"),
        ("a", {"cron": "every 999999999d999999999h"}, 400, "with 366 days at most"),
        ("a%20b", {}, 400, "use 1 to 128 of the characters"),
        ("%2E%2E", {}, 400, "use 1 to 128 of the characters"),
    ],
)
def test_the_ingress_answers_an_invalid_schedule_with_what_to_change(
    schedules: Schedules,
    name: str,
    changes: dict[str, object],
    status: int,
    message: str,
) -> None:
    body = {"cron": "@daily", "fan_out": "Scheduled", "task": {"key": "a"}, **changes}
    url = f"{schedules.system.ingress}/restate/call/FanOutSchedule/{name}/set"

    answer = schedules.system.http.post(url, json=body)

    assert answer.status_code == status
    assert message in answer.json()["message"]


def test_the_error_about_an_unknown_fan_out_has_similar_names(
    schedules: Schedules, key: str
) -> None:
    with pytest.raises(UnknownFanOut, match="did you mean Scheduled"):
        schedules.client.schedules.set(key, "@daily", "Scheduld", None)


def test_the_error_about_a_missing_service_says_what_to_serve(tmp_path: Path) -> None:
    with (
        site(tmp_path, TARGETS[:1]) as system,
        Client(system.ingress, system.admin) as client,
        pytest.raises(Refused, match="no worker serves FanOutSchedule: add it"),
    ):
        client.schedules.set("a", "@daily", "Scheduled", {"key": "a"})


def test_a_run_that_fails_is_in_the_history_with_its_error(
    schedules: Schedules, key: str
) -> None:
    known = schedules.client.schedules
    known.set(key, "@yearly", "Scheduled", {"no": "key"})

    run = known.trigger(key)

    eventually(lambda: bool(known.get(key).runs))
    [failed] = known.get(key).runs
    assert (failed.run, failed.state) == (run, "failed")
    assert "the task of Scheduled is not valid" in (failed.error or "")
    known.delete(key)


def test_a_fan_out_that_is_no_longer_served_fails_its_runs_but_blocks_nothing(
    schedules: Schedules, key: str
) -> None:
    known, system = schedules.client.schedules, schedules.system
    [port] = free_ports(1)
    words = str(ROOT / "examples" / "wordcount.py")
    with running("serve", words, "--bind", f"127.0.0.1:{port}"):
        worker = f"http://127.0.0.1:{port}"
        eventually(lambda: healthy(f"{worker}/health"))
        names = schedules.client.register(worker)
        [served] = names.fan_outs
        known.set(key, SECOND, served, {})
        deployments = system.http.get(f"{system.admin}/deployments").json()
        [id_] = [
            each["id"]
            for each in deployments["deployments"]
            if each.get("uri", "").startswith(worker)
        ]
        url = f"{system.admin}/deployments/{id_}?force=true"
        system.http.delete(url).raise_for_status()
        url = f"http://127.0.0.1:{system.proxy.port}"
        schedules.client.register(url, force=True)

    def has_failed() -> bool:
        error = f"no worker serves a fan-out '{served}'"
        return any((run.error or "").startswith(error) for run in known.get(key).runs)

    eventually(has_failed)
    known.pause(key)
    with pytest.raises(UnknownFanOut, match="no worker serves"):
        known.trigger(key)
    known.delete(key)


def test_what_an_outage_has_missed_runs_afterwards_as_the_policy_says(
    tmp_path: Path,
) -> None:
    with (
        site(tmp_path, TARGETS) as system,
        Client(system.ingress, system.admin) as client,
    ):
        made = Schedules(system, client)
        policies: list[Missed] = ["one", "all"]
        for missed in policies:
            client.schedules.set(
                missed,
                SECOND,
                "Scheduled",
                {"key": missed},
                overlap="allow",
                missed=missed,
            )
        eventually(lambda: len(made.times("one")) >= 2)

        system.server.kill()
        sleep(4)  # the length of the outage
        back = datetime.now(UTC)
        system.server.start()

        def are_back() -> bool:  # the tables of a server that has started are empty
            latest = [made.times(name)[-1:] for name in ("one", "all")]
            return all(time > [back] for time in latest)

        eventually(are_back)
        one, all_ = made.times("one"), made.times("all")
        without_run = client.schedules.get("one").missed

    gap = max(steps(one))
    assert steps(all_) == {1}
    assert gap >= 3
    assert without_run >= gap - 1
    after = [b for a, b in pairwise(one) if (b - a).total_seconds() == gap]
    assert after[0] > back - timedelta(seconds=1)


def test_a_worker_whose_clock_is_behind_starts_each_time_once(tmp_path: Path) -> None:
    with (
        site(tmp_path, ["tests.integration.schedules.slow_clock"]) as system,
        Client(system.ingress, system.admin) as client,
    ):
        client.schedules.set("slow", SECOND, "Scheduled", {"key": "s"}, overlap="allow")
        eventually(lambda: len(client.schedules.get("slow").runs) >= 6)
        runs = client.schedules.get("slow").runs

    assert steps(sorted(run.time for run in runs)) == {1}
