"""Fan-outs whose subtasks succeed, fail, or hang, for the completion rules."""

import asyncio
from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel
from restate import Context, TerminalError

from parallelizework import CompletionReason, Done, Failure, FanOut, Policy

from .ledger import Ledger, until_repaired
from .values import flat


class Trial(BaseModel):
    """Subtasks of which some succeed at once, some fail, and the others hang.

    Those hang until the key is repaired.
    """

    key: str
    count: int
    good: list[int] | None = None  # None for all that are not bad
    bad: list[int] = []
    known: list[int] = []
    pause: float = 0
    policy: Policy = Policy()


class Candidate(BaseModel):
    key: str
    number: int
    fate: Literal["good", "bad", "hang"]
    pause: float


class Report(BaseModel):
    """The arguments of `aggregate`."""

    values: list[int]
    failures: list[Failure[Candidate]]
    reason: CompletionReason


def candidates(trial: Trial) -> Iterator[Candidate | Done[list[int]]]:
    for number in range(trial.count):
        good = trial.good is None or number in trial.good
        fate = "bad" if number in trial.bad else "good" if good else "hang"
        if number in trial.known:
            yield Done([number])
        else:
            yield Candidate(key=trial.key, number=number, fate=fate, pause=trial.pause)


async def tried_out(candidate: Candidate) -> list[int]:
    Ledger(candidate.key).enter()
    try:
        await asyncio.sleep(candidate.pause)
        if candidate.fate == "hang":
            await until_repaired(candidate.key)
    except asyncio.CancelledError:
        Ledger(f"{candidate.key}-cancelled").enter()
        raise
    if candidate.fate == "bad":
        raise TerminalError(f"{candidate.number} is bad", 418)
    return [candidate.number]


def reported(
    values: list[list[int]],
    failures: list[Failure[Candidate]],
    reason: CompletionReason,
) -> Report:
    return Report(values=flat(values), failures=failures, reason=reason)


trials = FanOut("Trials", split=candidates, execute=tried_out, aggregate=reported)
trials_combined = FanOut(
    "TrialsCombined",
    split=candidates,
    execute=tried_out,
    combine=flat,
    aggregate=reported,
)


def trials_of(trial: Trial) -> list[Trial]:
    return [trial, trial]


trials_sharded = FanOut(
    "TrialsSharded",
    split=trials_of,
    expand=candidates,
    execute=tried_out,
    aggregate=reported,
)


async def slowly_combined(values: list[list[int]]) -> list[int]:
    await asyncio.sleep(0.1)
    return flat(values)


trials_slowly_combined = FanOut(
    "TrialsSlowlyCombined",
    split=candidates,
    execute=tried_out,
    combine=slowly_combined,
    aggregate=reported,
)


async def family(ctx: Context, trial: Trial) -> Report:
    answer = await ctx.generic_call("Trials", "run", trial.model_dump_json().encode())
    return Report.model_validate_json(answer)


def one_trial(trial: Trial) -> list[Trial]:
    return [trial]


def last(reports: list[Report]) -> Report:
    return reports[-1]


grandparent = FanOut("Grandparent", split=one_trial, execute=family, aggregate=last)
