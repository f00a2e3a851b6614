"""Fan-outs whose subtasks call another fan-out."""

from datetime import timedelta

from pydantic import SecretStr, TypeAdapter
from restate import Context

from parallelizework import FanOut

from .ledger import Ledger, only
from .models import Numbers, Sheet, Summary, positive, readings, sheets, taken_apart
from .values import flat, numbers, unchanged


async def called(ctx: Context, count: int) -> list[int]:
    await ctx.sleep(timedelta(milliseconds=1))
    answer = await ctx.generic_call("Squares", "run", str(count).encode())
    return TypeAdapter(list[int]).validate_json(answer)


nested = FanOut("Nested", split=numbers, execute=called, aggregate=flat)


def misread() -> FanOut[Numbers, int, int, list[int]]:
    """`Sheets` as another program defines it, with a wrong type of result."""
    return FanOut("Sheets", split=taken_apart, execute=positive, aggregate=unchanged)


async def sheet_of(ctx: Context, number: int) -> Sheet:
    task = Numbers(name=f"of {number}", numbers=[number, -number])
    return await sheets.call(ctx, task, labels={"caller": "sheet_of"})


async def misread_sheet_of(ctx: Context, number: int) -> list[int]:
    return await misread().call(ctx, Numbers(name="", numbers=[number]))


async def stamped(ctx: Context, key: str) -> int:
    return await stamping.call(ctx, key, idempotency_key=key)


async def secretly(ctx: Context, token: str) -> Summary:
    return await readings.call(ctx, SecretStr(token))


def sheets_as_they_come(values: list[Sheet]) -> list[Sheet]:
    return values


def lists_as_they_come(values: list[list[int]]) -> list[list[int]]:
    return values


def summaries(values: list[Summary]) -> list[Summary]:
    return values


def words(text: str) -> list[str]:
    return text.split()


def thrice(key: str) -> list[str]:
    return [key] * 3


def entered(key: str) -> int:
    return Ledger(key).enter()


stamping = FanOut("Stamping", split=words, execute=entered, aggregate=only)
calling = FanOut(
    "Calling", split=numbers, execute=sheet_of, aggregate=sheets_as_they_come
)
calling_misread = FanOut(
    "CallingMisread",
    split=numbers,
    execute=misread_sheet_of,
    aggregate=lists_as_they_come,
)
calling_once = FanOut("CallingOnce", split=thrice, execute=stamped, aggregate=unchanged)
calling_secretly = FanOut(
    "CallingSecretly", split=words, execute=secretly, aggregate=summaries
)
