"""One of the user's plain functions: what it takes, what it gives, how to call it."""

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
from typing import Any, cast, get_args, get_origin

from restate import Context, TerminalError
from restate.exceptions import SdkInternalBaseException

from parallelizework.definition.job import TookTooLong
from parallelizework.definition.threads import Threads
from parallelizework.errors import DefinitionError

_NO_LIST = (str, bytes, bytearray, Mapping)


class Function:
    """A user's function with its hints read and checked once.

    Args:
        role: Its name in `FanOut`: "split", "execute" or "aggregate".
        function: The callable itself, sync or async.
        threads: Where it runs if it is sync.
        most: How many values it may take.
        lists: It may return any iterable; a call of it returns a list.

    Attributes:
        accepts_context: Its first parameter is a `restate.Context`.
        parameters: The types of the values it takes, of which there is one at least.
        names: The names of these parameters.
        returns: The type it returns, without `Awaitable`.

    Raises:
        DefinitionError: It cannot be called, or a hint is missing or wrong.
    """

    def __init__(
        self,
        role: str,
        function: Callable[..., object],
        threads: Threads,
        most: int = 1,
        *,
        lists: bool = False,
    ) -> None:
        if not callable(function):
            raise DefinitionError(f"{role}={function!r} is not callable")
        self.role = role
        self.name = f"{role}={getattr(function, '__qualname__', repr(function))}"
        self._function = function
        self._threads = threads
        self._most = most
        self._lists = lists
        signature = self._signature()
        self.accepts_context, values = self._parameters(signature)
        self.parameters = tuple(value.annotation for value in values)
        self.names = tuple(value.name for value in values)
        self.returns = self._returned(signature)
        self._is_async = _is_async(function)
        if self.accepts_context and not self._is_async:
            raise DefinitionError(
                f"{self.name} takes a restate.Context, so it must be `async def`"
            )

    async def __call__(self, *args: object, seconds: float | None = None) -> Any:
        """Call it: async in this event loop, sync in a thread.

        Args:
            seconds: How long it may take, once it has a thread.

        Raises:
            TookTooLong: It took longer.
            RuntimeError: It raised what is no `Exception`, such as SystemExit or the
                panic of a Rust extension; or something that it awaited was cancelled
                by somebody else. Both are failures like any other.
        """
        task = current_task()
        assert task, "a function is called within a task"
        cancelling, clock = task.cancelling(), asyncio.timeout(None)
        try:
            if self._is_async:
                async with clock:
                    clock.reschedule(_from_now(seconds))
                    return await self._collected(self._function(*args))
            result = await self._threads.run(partial(self._in_thread, *args), seconds)
            async with clock:  # a lambda may have returned a coroutine
                clock.reschedule(_from_now(seconds))
                return await self._collected(result)
        except (KeyboardInterrupt, SdkInternalBaseException):
            raise
        except BaseException as error:
            if task.cancelling() > cancelling:  # whatever it made of that
                raise CancelledError from error
            if clock.expired():
                raise TookTooLong(f"longer than {seconds:g} s") from error
            if isinstance(error, Exception) or _is_closing(task):
                raise
            raise self._failure(error) from error

    def _in_thread(self, *args: object) -> object:
        try:
            return self._listed(self._function(*args))  # generators run here
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise self._failure(error) from error

    def _failure(self, error: BaseException) -> RuntimeError:
        """What ends a process or a task elsewhere is a failed attempt here."""
        if isinstance(error, CancelledError):
            return RuntimeError(f"{self.name} awaited what was cancelled")
        return RuntimeError(f"{self.name} raised {error!r}")

    async def _collected(self, result: object) -> Any:
        """A result with nothing left to await: also of a lambda around a coroutine."""
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, AsyncIterable):
            return [item async for item in cast("AsyncIterable[object]", result)]
        return self._listed(result)

    def _listed(self, result: object) -> object:
        """An iterator, or whatever else is to be a list, as a list.

        A text is refused: each of its characters would be an item.
        """
        if self._lists and isinstance(result, _NO_LIST):
            kind = type(cast("object", result)).__name__
            raise TerminalError(
                f"{self.name} returned a {kind} instead of a list of items: did you "
                "mean a list that contains it?",
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
                f"{self.name}: its hint names {error.name!r}, which cannot be found "
                "when the function is looked at; import it outside TYPE_CHECKING"
            ) from error
        except ValueError as error:
            raise DefinitionError(
                f"{self.name} has no signature to read; wrap it in a function with "
                "type hints"
            ) from error

    @property
    def is_busy(self) -> bool:
        """Whether it, or another function with the same threads, runs in a thread."""
        return self._threads.is_busy

    @property
    def parameter(self) -> object:
        """The type of its first value."""
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
        by_name = any(p.kind is p.KEYWORD_ONLY for p in values)
        if by_name or not 1 <= len(values) <= self._most:
            most = "one value" if self._most == 1 else f"one to {self._most} values"
            raise DefinitionError(
                f"{self.name} must take {most} by position, not "
                f"({', '.join(p.name for p in values)})"
            )
        for parameter in values:
            if parameter.annotation is inspect.Parameter.empty:
                raise DefinitionError(
                    f"{self.name}: parameter {parameter.name!r} has no type hint"
                )
        return accepts_context, values

    def _returned(self, signature: inspect.Signature) -> object:
        if signature.return_annotation is inspect.Signature.empty:
            raise DefinitionError(f"{self.name} has no type hint for what it returns")
        returned = signature.return_annotation
        if get_origin(returned) in (Awaitable, Coroutine):
            return get_args(returned)[-1]
        return returned


def _from_now(seconds: float | None) -> float | None:
    return None if seconds is None else asyncio.get_running_loop().time() + seconds


def _is_closing(task: "asyncio.Task[object]") -> bool:
    """The event loop ends, and closes the coroutine from outside of its task."""
    try:
        return current_task() is not task
    except RuntimeError:
        return True


def _is_context(hint: object) -> bool:
    return inspect.isclass(hint) and issubclass(hint, Context)


def _is_async(function: Callable[..., object]) -> bool:
    called = getattr(function, "__call__", function)  # noqa: B004 - an object's own
    return any(
        inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f)
        for f in (function, called)
    )
