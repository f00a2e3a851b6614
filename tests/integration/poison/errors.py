"""Errors that are poison."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from restate import TerminalError
from restate.exceptions import RetryableError

from .values import NOT_A_NUMBER, Unprintable


class OwnBaseException(BaseException):
    """Like the error of a panic in a native extension."""


def endless() -> BaseException:
    return endless()


CODES: list[Any] = [418, 0, 99, 200, 600, 10**12, -1, None, "x"]
MESSAGES: dict[str, Any] = {
    "surrogate message": "cannot read \udcff.txt",
    "message of 1 MB": "x" * 10**6,
    "message with NUL": "a\0b",
    "message that looks like ours": "x [failed, attempts: 3]",
    "message with odd digits": "x [failed, attempts: \u0663]",
    "message None": None,
    "empty message": "",
}
DELAYS: dict[str, Any] = {
    "10 ms": timedelta(milliseconds=10),
    "negative": -timedelta(days=1),
    "endless": timedelta.max,
    "of the type int": 1,
    "of the type float": 0.01,
    "NaN": NOT_A_NUMBER,
    "of the type str": "soon",
}
FINAL: dict[str, Callable[[], BaseException]] = {
    **{
        f"TerminalError, {name}": lambda text=text: TerminalError(text, 418)
        for name, text in MESSAGES.items()
    },
    **{
        f"TerminalError, code {code!r}": lambda code=code: TerminalError("bad", code)
        for code in CODES
    },
    "TerminalError like a cancellation": lambda: TerminalError("cancelled", 409),
}
RETRIED: dict[str, Callable[[], BaseException]] = {
    "ValueError": lambda: ValueError("poison"),
    **{
        f"ValueError, {name}": lambda text=text: ValueError(text)
        for name, text in MESSAGES.items()
    },
    **{
        f"RetryableError, {name}": lambda text=text: RetryableError(text, 418)
        for name, text in MESSAGES.items()
    },
    **{
        f"RetryableError, code {code!r}": lambda code=code: RetryableError("bad", code)
        for code in CODES
    },
    **{
        f"delay {name}": lambda delay=delay: RetryableError("busy", 429, delay)
        for name, delay in DELAYS.items()
    },
    "BaseException": lambda: OwnBaseException("panic"),
    "surrogate BaseException": lambda: OwnBaseException("\udcff"),
    "GeneratorExit": GeneratorExit,
    "SystemExit 0": lambda: SystemExit(0),
    "SystemExit 1": lambda: SystemExit(1),
    "SystemExit x": lambda: SystemExit("x"),
    "CancelledError": asyncio.CancelledError,
    "TimeoutError": TimeoutError,
    "StopIteration": StopIteration,
    "StopAsyncIteration": StopAsyncIteration,
    "RecursionError": endless,
    "MemoryError": MemoryError,
    "unprintable": Unprintable,
    "ExceptionGroup": lambda: ExceptionGroup("all", [ValueError("\udcff")]),
    "BaseExceptionGroup": lambda: BaseExceptionGroup("all", [OwnBaseException()]),
}
ERRORS = FINAL | RETRIED
