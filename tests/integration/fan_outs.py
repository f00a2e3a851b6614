"""The fan-outs that the integration tests run."""

import asyncio
import logging
import os
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NotRequired

from pydantic import BaseModel, Field, TypeAdapter
from restate import Context, TerminalError
from restate.exceptions import RetryableError
from typing_extensions import TypedDict

from parallelizework import (
    Attempt,
    CompletionReason,
    Done,
    Executor,
    Failure,
    FanOut,
    Policy,
)


class Ledger:
    """What was really executed, kept outside Restate, in the worker's /tmp."""

    def __init__(self, key: str) -> None:
        self._path = Path(tempfile.gettempdir()) / f"parallelizework-{key}"

    def enter(self) -> int:
        """Add an entry; how many there are with it."""
        descriptor = os.open(self._path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        with os.fdopen(descriptor, "ab") as ledger:
            ledger.write(b".")
            return ledger.tell()

    @property
    def size(self) -> int:
        """How many entries there are."""
        return self._path.stat().st_size if self._path.exists() else 0


def mend(key: str) -> int:
    """Let go what waits for that; how often it has been done."""
    return Ledger(f"{key}-mended").enter()


async def mending(key: str, times: int = 1) -> None:
    """Wait until a test has mended a key so often."""
    while Ledger(f"{key}-mended").size < times:  # noqa: ASYNC110 - by another process
        await asyncio.sleep(0.1)


class Gated(BaseModel):
    """So many subtasks, of which all but the first wait until the key is mended."""

    key: str = ""
    count: int
    free: int


class Item(BaseModel):
    key: str
    number: int
    waits: bool


def items(task: Gated) -> list[Item]:
    return [
        Item(key=task.key, number=number, waits=number >= task.free)
        for number in range(task.count)
    ]


def numbers(count: int) -> list[int]:
    return list(range(count))


def square(number: int) -> int:
    return number * number


def as_they_come(squares: list[int]) -> list[int]:
    return squares


squares = FanOut("Squares", split=numbers, execute=square, aggregate=as_they_come)


def listed_lines(task: list[str]) -> list[str]:
    return task


def shouted(line: str) -> str:
    return line.upper()


async def squared_elsewhere(item: Item) -> tuple[int, int]:
    if item.waits:
        await mending(item.key)
    if item.number < 0:
        raise ValueError("poison")
    return item.number * item.number, os.getpid()


def with_processes(values: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return values


def items_and_poison(task: Gated) -> list[Item]:
    return [*items(task), Item(key=task.key, number=-1, waits=False)]


remote_squares = Executor("RemoteSquares", execute=squared_elsewhere)
remote = FanOut(
    "Remote", split=items, executor="RemoteSquares", aggregate=with_processes
)
remote_batch = FanOut(
    "RemoteBatch",
    split=items,
    executor="RemoteSquares",
    aggregate=with_processes,
    policy=Policy(max_items_per_batch=16),
)
remote_poison = FanOut(
    "RemotePoison",
    split=items_and_poison,
    executor="RemoteSquares",
    aggregate=with_processes,
    policy=Policy(max_attempts=2),
)
lines = FanOut("Lines", split=listed_lines, execute=shouted, aggregate=listed_lines)


class Circle(BaseModel):
    radius: float


class Box(BaseModel):
    width: float
    height: float


Shape = Circle | Box


async def shapes(task: list[Shape | None]) -> AsyncIterator[Shape | None]:
    for shape in task:
        yield shape


async def grown(shape: Shape | None) -> dict[str, Shape | None]:
    match shape:
        case Circle():
            return {"grown": Circle(radius=shape.radius * 2)}
        case Box():
            return {"grown": Box(width=shape.width * 2, height=shape.height * 2)}
        case None:
            return {"grown": None}


def listed(values: list[dict[str, Shape | None]]) -> list[Shape | None]:
    return [value["grown"] for value in values]


shapes_fan_out = FanOut("Shapes", split=shapes, execute=grown, aggregate=listed)


class Keyed(BaseModel):
    """A task that leaves its mark in a ledger."""

    key: str
    fail: str = ""


def parts(task: Keyed) -> Iterator[Keyed]:
    for part in "abc":
        yield Keyed(key=f"{task.key}-{part}", fail=task.fail)


def third_time_lucky(part: Keyed) -> int:
    executions = Ledger(part.key).enter()
    if part.key.endswith("-b") and executions < 3:
        raise OSError(f"not yet, {executions}")
    return executions


flaky = FanOut("Flaky", split=parts, execute=third_time_lucky, aggregate=as_they_come)


def repeating(task: Keyed) -> list[Keyed]:
    return [task.model_copy(update={"fail": letter}) for letter in "abc"]


def told_its_attempt(part: Keyed, attempt: Attempt) -> tuple[int | None, str, int]:
    executions = Ledger(f"{part.key}-{part.fail}-{attempt.key}").enter()
    if part.fail == "b" and executions < 3:
        raise OSError(f"not yet, {executions}")
    return attempt.number, attempt.key, executions


def attempts_made(
    values: list[tuple[int | None, str, int]],
) -> list[tuple[int | None, str, int]]:
    return values


attempted = FanOut(
    "Attempted", split=repeating, execute=told_its_attempt, aggregate=attempts_made
)
attempted_batch = FanOut(
    "AttemptedBatch",
    split=repeating,
    execute=told_its_attempt,
    aggregate=attempts_made,
    policy=Policy(max_items_per_batch=2),
)


async def back_after_a_kill(part: Keyed, attempt: Attempt) -> int | None:
    print(f"attempt {attempt.number}", flush=True)
    if attempt.number == 1:
        raise RetryableError("not yet", retry_after=timedelta(seconds=2))
    if attempt.number == 2:
        await asyncio.sleep(0.3)
        raise RetryableError("not yet", retry_after=timedelta(seconds=2))
    return attempt.number


def numbers_of_attempts(values: list[int | None]) -> list[int | None]:
    return values


counting = FanOut(
    "Counting",
    split=repeating,
    execute=back_after_a_kill,
    aggregate=numbers_of_attempts,
)


def poisoned(number: int) -> int:
    if number == 2:
        raise ValueError("poison")
    return number


async def poisoned_code(ctx: Context, number: int) -> int:
    await ctx.sleep(timedelta(milliseconds=1))
    return poisoned(number)


async def refused(number: int) -> int:
    if number == 2:
        raise TerminalError("no such number", 404)
    return number


twice = Policy(max_attempts=2)
poison = FanOut(
    "Poison", split=numbers, execute=poisoned, aggregate=as_they_come, policy=twice
)
poison_code = FanOut(
    "PoisonCode",
    split=numbers,
    execute=poisoned_code,
    aggregate=as_they_come,
    policy=twice,
)
refusing = FanOut("Refusing", split=numbers, execute=refused, aggregate=as_they_come)


async def called(ctx: Context, count: int) -> list[int]:
    await ctx.sleep(timedelta(milliseconds=1))
    answer = await ctx.generic_call("Squares", "run", str(count).encode())
    return TypeAdapter(list[int]).validate_json(answer)


def flat(lists: list[list[int]]) -> list[int]:
    return [number for numbers in lists for number in numbers]


nested = FanOut("Nested", split=numbers, execute=called, aggregate=flat)


def failing_split(task: Keyed) -> list[str]:
    executions = Ledger(f"{task.key}-split").enter()
    if task.fail == "split":
        raise TerminalError("this task cannot be split", 422)
    if task.fail == "split for ever" or (task.fail == "split once" and executions == 1):
        raise OSError("the list of parts is away")
    return ["part"]


def passed_on(part: str) -> str:
    return part


def joined(values: list[str]) -> str:
    return "".join(values)


splitting = FanOut(
    "Splitting", split=failing_split, execute=passed_on, aggregate=joined, policy=twice
)


def one(task: Keyed) -> list[Keyed]:
    return [task]


def same(task: Keyed) -> Keyed:
    return task


def added_up(tasks: list[Keyed]) -> int:
    executions = Ledger(f"{tasks[0].key}-aggregate").enter()
    if tasks[0].fail == "aggregate":
        raise TerminalError("these values do not add up", 422)
    if tasks[0].fail == "aggregate once" and executions == 1:
        raise OSError("not yet")
    return executions


aggregating = FanOut("Aggregating", split=one, execute=same, aggregate=added_up)


_logger = logging.getLogger(__name__)


def each(task: list[float]) -> list[float]:
    return task


async def slowly(seconds: float) -> float:
    _logger.info("slow subtask starts")
    await asyncio.sleep(seconds)
    _logger.info("slow subtask ends")
    return seconds


def gathered(values: list[float]) -> list[float]:
    return values


slow = FanOut("Slow", split=each, execute=slowly, aggregate=gathered)


class Visit(BaseModel):
    """What each visitor of one run's crowd is given.

    Attributes:
        count: How many visitors there are in this shard.
        all: How many there are.
    """

    run: str
    count: int
    all: int


class Crowding(BaseModel):
    """A run with so many visitors in each shard."""

    run: str
    counts: list[int]


def crowding_shards(task: Crowding) -> list[Visit]:
    all_ = sum(task.counts)
    return [Visit(run=task.run, count=count, all=all_) for count in task.counts]


def visits(visit: Visit) -> list[Visit]:
    return [visit] * visit.count


def crowding(task: Crowding) -> list[Visit]:
    return [visit for shard in crowding_shards(task) for visit in visits(shard)]


async def process(visit: Visit) -> int:
    """Goes when all have come, to whichever process."""
    Ledger(visit.run).enter()
    while Ledger(visit.run).size < visit.all:  # noqa: ASYNC110 - of other processes
        await asyncio.sleep(0.2)
    return os.getpid()


def different(values: list[int]) -> list[int]:
    return sorted(set(values))


processes = FanOut(
    "Processes",
    split=crowding,
    execute=process,
    aggregate=different,
    policy=Policy(max_concurrency=400),
)


class Span(BaseModel):
    """When and where a subtask was executing; the clock is the machine's."""

    start: int
    end: int
    process: int


async def paced_work(_number: int) -> Span:
    start = time.monotonic_ns()
    await asyncio.sleep(0.05)
    return Span(start=start, end=time.monotonic_ns(), process=os.getpid())


class Crowd:
    """Subtasks of which one leaves only while `size` are there, or most have come."""

    def __init__(self, size: int, all_: int) -> None:
        self._size = size
        self._to_wait = all_ - 2 * size
        self._present = self._came = 0
        self._changed = asyncio.Condition()

    async def visit(self) -> None:
        async with self._changed:
            self._present += 1
            self._came += 1
            self._changed.notify_all()
            await self._changed.wait_for(
                lambda: self._present >= self._size or self._came > self._to_wait
            )
            self._present -= 1


crowds: dict[str, Crowd] = {}


async def steady_work(visit: Visit) -> int:
    await crowds.setdefault(visit.run, Crowd(45, visit.all)).visit()
    return 1


hundred = threading.Barrier(100)


def blocking_work(_number: int) -> int:
    hundred.wait()
    return 1


def spans(values: list[Span]) -> list[Span]:
    return values


def added(values: list[int]) -> int:
    return sum(values)


fifty = Policy(max_concurrency=50)
paced = FanOut(
    "Paced", split=numbers, execute=paced_work, aggregate=spans, policy=fifty
)
steady = FanOut(
    "Steady", split=crowding, execute=steady_work, aggregate=added, policy=fifty
)
steady_sharded = FanOut(
    "SteadySharded",
    split=crowding_shards,
    expand=visits,
    execute=steady_work,
    aggregate=added,
    policy=fifty,
)
blocking = FanOut(
    "Blocking",
    split=numbers,
    execute=blocking_work,
    aggregate=added,
    policy=Policy(max_concurrency=100),
)


Bounds = tuple[int, int]


def tens(count: int) -> list[Bounds]:
    return [(start, min(start + 10, count)) for start in range(0, count, 10)]


def ten(bounds: Bounds) -> Iterator[int]:
    yield from range(*bounds)


async def itself(number: int) -> int:
    return number


def how_many_and_sum(values: list[int]) -> tuple[int, int]:
    return len(values), sum(values)


sharded = FanOut(
    "Sharded", split=tens, expand=ten, execute=itself, aggregate=as_they_come
)
combined = FanOut(
    "Combined",
    split=tens,
    expand=ten,
    execute=itself,
    combine=added,
    aggregate=how_many_and_sum,
)
segmented = FanOut(
    "Segmented",
    split=numbers,
    execute=itself,
    aggregate=as_they_come,
    policy=Policy(max_concurrency=100),
)
batched = FanOut(
    "Batched",
    split=numbers,
    execute=square,
    aggregate=as_they_come,
    policy=Policy(max_items_per_batch=16),
)
flaky_batch = FanOut(
    "FlakyBatch",
    split=parts,
    execute=third_time_lucky,
    aggregate=as_they_come,
    policy=Policy(max_items_per_batch=16),
)
poison_batch = FanOut(
    "PoisonBatch",
    split=numbers,
    execute=poisoned,
    aggregate=as_they_come,
    policy=Policy(max_items_per_batch=3, max_attempts=2),
)
paced_batch = FanOut(
    "PacedBatch",
    split=numbers,
    execute=paced_work,
    aggregate=spans,
    policy=Policy(max_items_per_batch=20, max_concurrency=50),
)


async def late_poison(number: int) -> int:
    if number == 1_500:
        raise TerminalError("poison", 418)
    await asyncio.sleep(0.02)
    return number


late = FanOut("Late", split=numbers, execute=late_poison, aggregate=as_they_come)


class Sizes(BaseModel):
    """How large to make each part of a run, in MiB."""

    count: int = 1
    split: float = 0
    value: float = 0
    result: float = 0


class Sized(BaseModel):
    value: float
    result: float
    filler: str


def mebibytes(size: float) -> str:
    return "x" * int(size * 2**20)


def sized(task: Sizes) -> list[Sized]:
    filler = mebibytes(task.split / task.count)
    return [Sized(value=task.value, result=task.result, filler=filler)] * task.count


def filled(item: Sized) -> Sized:
    return Sized(value=0, result=item.result, filler=mebibytes(item.value))


def largest(values: list[Sized]) -> Sized:
    return max(values, key=lambda value: len(value.filler))


def result_of(values: list[Sized]) -> str:
    return mebibytes(values[0].result) or str(sum(len(v.filler) for v in values))


sizes = FanOut("Sizes", split=sized, execute=filled, aggregate=result_of)
sizes_batched = FanOut(
    "SizesBatched",
    split=sized,
    execute=filled,
    aggregate=result_of,
    policy=Policy(max_items_per_batch=2),
)


def one_shard(task: Sizes) -> list[Sizes]:
    return [task]


sizes_sharded = FanOut(
    "SizesSharded", split=one_shard, expand=sized, execute=filled, aggregate=result_of
)
sizes_combined = FanOut(
    "SizesCombined", split=sized, execute=filled, combine=largest, aggregate=result_of
)


def joined_texts(values: list[str]) -> str:
    return "".join(values)


def lengths(values: list[str]) -> list[int]:
    return [len(value) for value in values]


def long_text(_number: int) -> str:
    return mebibytes(1)


sizes_joined = FanOut(
    "SizesJoined",
    split=numbers,
    execute=long_text,
    combine=joined_texts,
    aggregate=lengths,
)


async def in_its_time(item: Item) -> int:
    executions = Ledger(f"{item.key}-{item.number}").enter()
    if item.waits:
        await mending(item.key)
    return executions


staggering = FanOut(
    "Staggering", split=items, execute=in_its_time, aggregate=as_they_come
)


async def in_its_turn(item: Item) -> int:
    """Ends when the key has been mended once for each before, and once more."""
    await mending(item.key, item.number + 1)
    return item.number


stepping = FanOut("Stepping", split=items, execute=in_its_turn, aggregate=as_they_come)


async def without_haste(item: Item) -> int:
    """Takes its time, until the key is mended."""
    if not Ledger(f"{item.key}-mended").size:
        await asyncio.sleep(0.1)
    return 1


idling = FanOut(
    "Idling",
    split=items,
    execute=without_haste,
    aggregate=added,
    policy=Policy(max_concurrency=4),
)


class Trial(BaseModel):
    """Subtasks of which some succeed at once, some fail, and the others hang.

    What hangs does so until the key is mended.
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
    """What `aggregate` was given."""

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
            await mending(candidate.key)
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


def ledger_size(task: Keyed) -> int:
    return Ledger(task.key).size


executions = FanOut("Executions", split=one, execute=ledger_size, aggregate=added)


def again_in_a_second(part: Keyed) -> int:
    entries = Ledger(part.key).enter()
    if part.key.endswith("-a") and entries == 1:
        raise RetryableError("come back", 429, timedelta(seconds=1))
    return time.monotonic_ns()


coming_back = FanOut(
    "ComingBack",
    split=parts,
    execute=again_in_a_second,
    aggregate=as_they_come,
    policy=Policy(max_concurrency=1),
)


def slow_at_first(part: Keyed) -> int:
    entries = Ledger(part.key).enter()
    if entries < int(part.fail or 2):
        time.sleep(1)
    return entries


class Patience(Keyed):
    policy: Policy = Policy()


def patient_parts(task: Patience) -> Iterator[Keyed]:
    return parts(task)


impatient = FanOut(
    "Impatient", split=patient_parts, execute=slow_at_first, aggregate=as_they_come
)


async def never(ctx: Context, part: Keyed) -> int:
    await ctx.sleep(timedelta(hours=1))
    return 1


never_ending = FanOut(
    "NeverEnding", split=patient_parts, execute=never, aggregate=as_they_come
)


def until_mended(part: Keyed) -> int:
    entries = Ledger(part.key).enter()
    if part.key.endswith("-b") and not Ledger(f"{part.key}-mended").size:
        raise OSError("broken")
    return entries


pausing = FanOut(
    "Pausing",
    split=parts,
    execute=until_mended,
    aggregate=as_they_come,
    policy=Policy(max_attempts=2, on_exhausted="pause"),
)


def mended(task: Keyed) -> int:
    return mend(task.key)


mender = FanOut("Mending", split=one, execute=mended, aggregate=added)


async def family(ctx: Context, trial: Trial) -> Report:
    answer = await ctx.generic_call("Trials", "run", trial.model_dump_json().encode())
    return Report.model_validate_json(answer)


def one_trial(trial: Trial) -> list[Trial]:
    return [trial]


def last(reports: list[Report]) -> Report:
    return reports[-1]


grandparent = FanOut("Grandparent", split=one_trial, execute=family, aggregate=last)


class Rough(BaseModel):
    """A subtask that misbehaves, in one way or another."""

    key: str
    how: str
    policy: Policy = Policy()


def roughly(task: Rough) -> list[Rough]:
    if task.how == "split":
        time.sleep(2)
    return [task] * 4


async def misbehaved(task: Rough) -> float:
    entries = Ledger(task.key).enter()
    match task.how:
        case "code":
            raise TerminalError("no such code", 70_000)
        case "message":
            raise ValueError("x" * 40 * 2**20)
        case "stubborn":
            try:
                await asyncio.sleep(300 if entries > 1 else 0)
            except asyncio.CancelledError:
                raise ConnectionError("closed") from None
        case "infinity":
            return float("inf")
        case _:
            pass
    return 0.5


def smallest(values: list[float], _failures: list[Failure[Rough]]) -> list[float]:
    return values


rough = FanOut("Rough", split=roughly, execute=misbehaved, aggregate=smallest)


async def busy(ctx: Context, task: Rough) -> float:
    await ctx.sleep(timedelta(milliseconds=1))
    Ledger(task.key).enter()
    raise RetryableError("busy", 429, timedelta(milliseconds=10))


rough_code = FanOut(
    "RoughCode", split=roughly, execute=busy, aggregate=smallest, policy=twice
)


class Aliased(BaseModel):
    user_id: int = Field(alias="userId")


def aliases(task: list[Aliased]) -> list[Aliased]:
    return task


def user_of(item: Aliased) -> int:
    return item.user_id


aliased = FanOut("Aliased", split=aliases, execute=user_of, aggregate=as_they_come)


Anything = dict[str, Any]


def anything(task: list[Anything]) -> list[Anything]:
    return task


def executed(item: Anything) -> Anything:
    return {"executed": item}


unmarked = FanOut("Unmarked", split=anything, execute=executed, aggregate=anything)


class TypedTrial(TypedDict):
    count: int
    policy: NotRequired[Policy]


def typed_numbers(task: TypedTrial) -> list[int]:
    return numbers(task["count"])


typed_trials = FanOut(
    "TypedTrials", split=typed_numbers, execute=itself, aggregate=as_they_come
)


async def slowly_combined(values: list[list[int]]) -> list[int]:
    await asyncio.sleep(0.3)
    return flat(values)


trials_slowly_combined = FanOut(
    "TrialsSlowlyCombined",
    split=candidates,
    execute=tried_out,
    combine=slowly_combined,
    aggregate=reported,
)


async def clinging(ctx: Context, item: Item) -> int:
    """Is only cancelled when the key is mended."""
    if item.waits:
        try:
            await ctx.sleep(timedelta(hours=1))
        except TerminalError:
            await ctx.run_typed("mending", mending, key=item.key)
    return item.number


clingers = FanOut(
    "Clingers",
    split=items,
    execute=clinging,
    aggregate=as_they_come,
    policy=Policy.first_successful(),
)
