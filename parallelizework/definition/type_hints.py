"""Type hints: the item type of a list, and whether one type accepts another."""

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Mapping
from itertools import zip_longest
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin


def item_type(hint: object) -> object | None:
    """Return the item type of `list[X]`, `Iterator[X]`, `tuple[X, ...]` and so on.

    None if `hint` is not such a type, or names no item type.
    """
    origin, args = get_origin(hint), get_args(hint)
    if not inspect.isclass(origin) or not args or issubclass(origin, Mapping):
        return None
    if issubclass(origin, tuple):
        return _type(args[0]) if args[1:] == (...,) else None
    if args[1:] and not issubclass(origin, (Generator, AsyncGenerator)):
        return None  # the items of `ItemsView[K, V]` are pairs
    return _type(args[0]) if issubclass(origin, (Iterable, AsyncIterable)) else None


def accepts(parameter: object, argument: object) -> bool:
    """Return whether a parameter of one type accepts every value of another type."""
    parameter, argument = _bare(parameter), _bare(argument)
    if parameter == argument or parameter is Any or parameter is object:
        return True
    if parameter is float and argument is int:
        return True
    if inspect.isclass(parameter) and inspect.isclass(argument):
        return issubclass(argument, parameter)
    accepted, passed = options(parameter), options(argument)
    if len(accepted) == len(passed) == 1:
        return _accepts_parts(parameter, argument)
    return all(any(accepts(a, p) for a in accepted) for p in passed)


def _accepts_parts(parameter: object, argument: object) -> bool:
    """The same for `list[X]`, `dict[K, V]` and so on, part by part."""
    parts = list(zip_longest(get_args(parameter), get_args(argument)))
    origins = get_origin(parameter), get_origin(argument)
    if not parts or not all(inspect.isclass(origin) for origin in origins):
        return False
    return accepts(*origins) and all(accepts(a, p) for a, p in parts)


def _bare(hint: object) -> object:
    """`hint` without `Annotated`: its constraints are checked for each value."""
    return _type(get_args(hint)[0] if get_origin(hint) is Annotated else hint)


def _type(hint: object) -> object:
    """`hint`, or the type of None, which is written as None."""
    return NoneType if hint is None else hint


def options(hint: object) -> tuple[object, ...]:
    """Return the members of a union; for any other type, the type alone."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
