"""`Function`: one of the user's functions: its types, and how to call it."""

import asyncio
import inspect
from asyncio import CancelledError, current_task
from collections.abc import (
    AsyncIterable,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
)
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any, cast, get_args, get_origin

from restate import Context, TerminalError
from restate.exceptions import SdkInternalBaseException

from parallelizework.definition.job import TookTooLong
from parallelizework.definition.threads import Threads
from parallelizework.errors import DefinitionError

_NOT_LISTS = (str, bytes, bytearray, Mapping)  # iterable, but not lists of items


class Function:
    """A user's function. Its type hints are read and checked once.

    Args:
        role: The function's name in `FanOut`, such as "split".
        function: The callable itself, sync or async.
        threads: The threads that execute the function if it is sync.
        max_values: How many values the function may accept.
        lists: Whether the function may return any iterable. A call returns a list then.

    Attributes:
        name: The role, the name and the place of the function, for messages:
            `split of Thumbnails (photos_of, album.py:12)`.
        qualname: The qualified name of the function: `photos_of`.
        accepts_context: Whether the first parameter is a `restate.Context`.
        parameters: The types of the values that the function accepts: at least one.
        names: The names of these parameters.
        returns: The type that the function returns, without `Awaitable`.

    Raises:
        DefinitionError: The function is not callable, or a hint is missing or wrong.
    """

    def __init__(
        self,
        role: str,
        function: Callable[..., object],
        threads: Threads,
        max_values: int = 1,
        *,
        lists: bool = False,
    ) -> None:
        name = f"{role} of {threads.name}" if threads.name else role
        if not callable(function):
            raise DefinitionError(f"{name} is {function!r}: pass a function")
        self.role = role
        self.qualname = getattr(function, "__qualname__", repr(function))
        self.name = f"{name}{_identity(role, self.qualname, function)}"
        self._function = function
        self._threads = threads
        self._max_values = max_values
        self._lists = lists
        signature = self._signature()
        self.accepts_context, values = self._parameters(signature)
        self.parameters = tuple(value.annotation for value in values)
        self.names = tuple(value.name for value in values)
        self.returns = self._return_type(signature)
        self._is_async = _is_async(function)
        if self.accepts_context and not self._is_async:
            raise DefinitionError(
                f"{self.name} accepts a restate.Context, so it must be `async def`"
            )

    async def __call__(self, *args: object, seconds: float | None = None) -> Any:
        """Call the function: in this event loop if it is async, in a thread if sync.

        Everything that the function raises becomes one of four things here:
        - `KeyboardInterrupt`, and the SDK's own exceptions, are raised unchanged.
        - A cancellation of this task stays one, even if the function replaced it by an
          exception of its own.
        - After the timeout, any exception becomes `TookTooLong`.
        - Any other `BaseException` becomes a `RuntimeError`: a failed attempt.
          Otherwise it would end this process or its task.

        Args:
            args: The arguments of the function.
            seconds: How long the function may take, once it has a thread.

        Raises:
            TookTooLong: The function took longer.
            RuntimeError: The function raised an exception that is not an `Exception`,
                such as SystemExit or the panic of a Rust extension; or it awaited
                something that another task cancelled.
        """
        task = current_task()
        assert task, "a function is called within a task"
        cancellations, timeout = task.cancelling(), asyncio.timeout(None)
        try:
            if self._is_async:
                async with timeout:
                    timeout.reschedule(_from_now(seconds))
                    return await self._collected(self._function(*args))
            result = await self._threads.run(partial(self.call_sync, *args), seconds)
            async with timeout:  # a lambda may have returned a coroutine
                timeout.reschedule(_from_now(seconds))
                return await self._collected(result)
        except (KeyboardInterrupt, SdkInternalBaseException):
            raise
        except BaseException as error:
            if task.cancelling() > cancellations:
                raise CancelledError from error
            if timeout.expired():
                raise TookTooLong(f"longer than {seconds:g} s") from error
            if isinstance(error, Exception) or _is_closing(task):
                raise
            raise self._failure(error) from error

    def call_sync(self, *args: object) -> object:
        """Call the sync function in the current thread.

        Only a short function may be called in the thread of the event loop.

        Raises:
            RuntimeError: As for an async call.
        """
        try:
            return self._listed(self._function(*args))  # generators run here
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise self._failure(error) from error

    def _failure(self, error: BaseException) -> RuntimeError:
        """The error of a failed attempt, instead of one that would end the process."""
        if isinstance(error, CancelledError):
            return RuntimeError(f"{self.name} awaited a task that was cancelled")
        return RuntimeError(f"{self.name} raised {error!r}")

    async def _collected(self, result: object) -> Any:
        """Await a result, also the coroutine that a lambda returned; collect lists."""
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, AsyncIterable):
            return [item async for item in cast("AsyncIterable[object]", result)]
        return self._listed(result)

    def _listed(self, result: object) -> object:
        """Return an iterator as a list; with `lists`, any iterable.

        A text is refused: each of its characters would be an item.
        """
        if self._lists and isinstance(result, _NOT_LISTS):
            kind = type(cast("object", result)).__name__
            raise TerminalError(
                f"{self.name} returned a {kind} instead of a list of items: return a "
                "list that contains it",
                500,
            )
        if isinstance(result, Iterable if self._lists else Iterator):
            return list(cast("Iterable[object]", result))
        return result

    def _signature(self) -> inspect.Signature:
        try:
            return inspect.signature(self._function, eval_str=True)
        except NameError as error:
            raise DefinitionError(
                f"{self.name}: the type hint {error.name!r} is not defined at run "
                "time: import it outside `if TYPE_CHECKING`"
            ) from error
        except ValueError as error:
            raise DefinitionError(
                f"{self.name} has no readable signature: wrap it in a function with "
                "type hints"
            ) from error

    @property
    def is_async(self) -> bool:
        """Whether the function is async."""
        return self._is_async

    @property
    def threads(self) -> Threads:
        """The threads that execute the function if it is sync."""
        return self._threads

    @property
    def is_busy(self) -> bool:
        """Whether a function runs in one of this function's threads now."""
        return self._threads.is_busy

    @property
    def parameter(self) -> object:
        """The type of the first value that the function accepts."""
        return self.parameters[0]

    def _parameters(
        self, signature: inspect.Signature
    ) -> tuple[bool, list[inspect.Parameter]]:
        required = [
            p
            for p in signature.parameters.values()
            if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]
        accepts_context = bool(required) and _is_context(required[0].annotation)
        values = required[1:] if accepts_context else required
        keyword_only = any(p.kind is p.KEYWORD_ONLY for p in values)
        most = self._max_values
        if keyword_only or not 1 <= len(values) <= most:
            number = "one value" if most == 1 else f"one to {most} values"
            raise DefinitionError(
                f"{self.name} must accept {number} by position, not "
                f"({', '.join(p.name for p in values)})"
            )
        for parameter in values:
            if parameter.annotation is inspect.Parameter.empty:
                raise DefinitionError(
                    f"{self.name}: parameter {parameter.name!r} has no type hint: add "
                    "one"
                )
        return accepts_context, values

    def _return_type(self, signature: inspect.Signature) -> object:
        if signature.return_annotation is inspect.Signature.empty:
            raise DefinitionError(
                f"{self.name} has no type hint for its return value: add one"
            )
        returned = signature.return_annotation
        if get_origin(returned) in (Awaitable, Coroutine):
            return get_args(returned)[-1]
        return returned


def _identity(role: str, qualname: str, function: Callable[..., object]) -> str:
    """The name of a function and its place: ` (photos_of, album.py:12)`.

    The name is omitted if it is the role; the place, if the function is not in Python.
    """
    name = qualname.rsplit("<locals>.", maxsplit=1)[-1]
    source = inspect.unwrap(function)
    source = source.func if isinstance(source, partial) else source
    code = getattr(source, "__code__", None)
    code = code or getattr(getattr(source, "__call__", None), "__code__", None)  # noqa: B004
    parts = [] if name == role else [name]
    if isinstance(code, CodeType):
        parts.append(f"{Path(code.co_filename).name}:{code.co_firstlineno}")
    return f" ({', '.join(parts)})" if parts else ""


def _from_now(seconds: float | None) -> float | None:
    return None if seconds is None else asyncio.get_running_loop().time() + seconds


def _is_closing(task: "asyncio.Task[object]") -> bool:
    """Whether the event loop is ending: it closes coroutines outside of their tasks."""
    try:
        return current_task() is not task
    except RuntimeError:
        return True


def _is_context(hint: object) -> bool:
    return inspect.isclass(hint) and issubclass(hint, Context)


def _is_async(function: Callable[..., object]) -> bool:
    called = getattr(function, "__call__", function)  # noqa: B004 - of an object
    return any(
        inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f)
        for f in (function, called)
    )
