"""The fan-outs of the tests of traces."""

from datetime import timedelta

from opentelemetry import trace
from restate import Context, TerminalError

from parallelizework import Attempt, FanOut, Policy

ALL = Policy(tolerated_failure_percentage=100)
BATCH = Policy(tolerated_failure_percentage=100, max_items_per_batch=8)


def split(count: int) -> list[int]:
    return list(range(count))


def execute(number: int, attempt: Attempt) -> int:
    """Fail at the first attempt at subtask 1, and at subtask 2."""
    with trace.get_tracer("tests").start_as_current_span("work"):
        if number == 1 and attempt.number == 1:
            raise ValueError("once")
        if number == 2:
            raise TerminalError("never", 422)
        return number


async def in_handler(ctx: Context, number: int) -> int:
    await ctx.sleep(timedelta(milliseconds=1))
    with trace.get_tracer("tests").start_as_current_span("after the sleep"):
        return number


def name_of(number: int) -> str:
    return f"number {number}"


def aggregate(values: list[int]) -> int:
    return len(values)


def fan_out(name: str, policy: Policy) -> FanOut[int, int, int, int]:
    return FanOut(
        name,
        split=split,
        execute=execute,
        aggregate=aggregate,
        policy=policy,
        name_of=name_of,
    )


traced = fan_out("Traced", ALL)
replayed = fan_out("Replayed", ALL)
batched = fan_out("Batched", BATCH)
handler_code = FanOut(
    "HandlerCode", split=split, execute=in_handler, aggregate=aggregate
)
elsewhere = fan_out("Elsewhere", ALL)
