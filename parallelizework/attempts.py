"""Attempts: try, tell an error that is final from one that is not, pause, try again."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from restate import TerminalError
from restate.exceptions import RetryableError
from restate.serde import Serde

from parallelizework.function import TookTooLong
from parallelizework.outcome import TIMED_OUT, Fault
from parallelizework.policy import Policy

_VALUE = b'{"value":'


@dataclass(frozen=True)
class Attempt:
    """Which attempt at which subtask: `execute` may take it beside the subtask.

    Attributes:
        number: 1 for the first; None where Restate counts, with `on_exhausted="pause"`.
        key: Names the subtask among those of all runs. It is the same at every attempt,
            after a crash too: an idempotency key for whatever `execute` calls.
    """

    number: int | None
    key: str


class Miss(BaseModel):
    """An attempt that did not succeed.

    Attributes:
        again: It may be tried again.
        after: What its error asked for, in seconds.
    """

    fault: Fault
    again: bool
    after: float | None = None

    def error(self) -> TerminalError | RetryableError:
        """The error that has Restate do what is to be done.

        Without what it asked for: Restate does not count attempts that ask.
        """
        kind = RetryableError if self.again else TerminalError
        return kind(self.fault.message, self.fault.code)


class AttemptSerde(Serde[bytes | Miss]):
    """An attempt in the journal: the value as JSON, or why there is none."""

    def serialize(self, obj: bytes | Miss | None) -> bytes:
        """`{"value": ...}`, or a `Miss`."""
        assert obj is not None, "an attempt ends in a value or a miss"
        if isinstance(obj, Miss):
            return obj.model_dump_json().encode()
        return _VALUE + obj + b"}"

    def deserialize(self, buf: bytes) -> bytes | Miss:
        """The value, still as JSON, or a `Miss`."""
        if buf.startswith(_VALUE):
            return buf[len(_VALUE) : -1]
        return Miss.model_validate_json(buf)


@dataclass(frozen=True)
class Attempts:
    """Tries until there is a value, an error is final, or attempts are used up.

    Args:
        policy: How often, and with which pauses.
        sleep: Pauses for so many seconds.
        random: Gives a number from 0 to 1. A pause is up to half shorter by it, so that
            what failed together does not come back together.
    """

    policy: Policy
    sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep
    random: Callable[[], float] = random.random

    async def once(self, execute: Callable[[], Awaitable[bytes]]) -> bytes | Miss:
        """One attempt."""
        try:
            return await execute()
        except TookTooLong as error:
            message = f"an attempt took {error}"
            fault = Fault(status="timed_out", message=message, code=TIMED_OUT)
            return Miss(fault=fault, again=True)
        except TerminalError as error:
            return _miss(error.message, error.status_code, again=False)
        except RetryableError as error:
            after = error.retry_after.total_seconds() if error.retry_after else None
            return _miss(error.message, error.status_code, after=after)
        except Exception as error:
            return _miss(repr(error), 500)

    async def value(self, execute: Callable[[], Awaitable[bytes]]) -> bytes:
        """The value of one attempt, or an error as Restate wants it."""
        attempt = await self.once(execute)
        if isinstance(attempt, Miss):
            raise attempt.error()
        return attempt

    async def until_final(
        self, once: Callable[[int], Awaitable[bytes | Miss]]
    ) -> bytes | Fault:
        """The value, as JSON, or why there is none.

        Args:
            once: Makes the attempt of that number.
        """
        policy, attempt = self.policy, 1
        pause = policy.initial_retry_interval.total_seconds()
        while isinstance(missed := await once(attempt), Miss):
            if not missed.again or attempt == policy.max_attempts:
                return missed.fault.model_copy(update={"attempts": attempt})
            jittered = pause * (1 - self.random() / 2)
            await self.sleep(jittered if missed.after is None else missed.after)
            longest = policy.max_retry_interval.total_seconds()
            pause = min(longest, pause * policy.retry_interval_factor)
            attempt += 1
        return missed


def _miss(
    message: str, code: int, *, again: bool = True, after: float | None = None
) -> Miss:
    fault = Fault(status="failed", message=message, code=code)
    return Miss(fault=fault, again=again, after=after)
