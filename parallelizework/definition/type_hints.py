"""Type hints: what a value of one type can be used for."""

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Mapping
from itertools import zip_longest
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin


def item_type(hint: object) -> object | None:
    """The type of the items of `list[X]`, `Iterator[X]`, `tuple[X, ...]` and so on.

    None if `hint` is no such type, or does not say what its items are.
    """
    origin, args = get_origin(hint), get_args(hint)
    if not inspect.isclass(origin) or not args or issubclass(origin, Mapping):
        return None
    if issubclass(origin, tuple):
        return _type(args[0]) if args[1:] == (...,) else None
    if args[1:] and not issubclass(origin, (Generator, AsyncGenerator)):
        return None  # of `ItemsView[K, V]` the items are pairs
    return _type(args[0]) if issubclass(origin, (Iterable, AsyncIterable)) else None


def accepts(parameter: object, given: object) -> bool:
    """Whether a parameter of one type takes every value of another."""
    parameter, given = _bare(parameter), _bare(given)
    if parameter == given or parameter is Any or parameter is object:
        return True
    if parameter is float and given is int:
        return True
    if inspect.isclass(parameter) and inspect.isclass(given):
        return issubclass(given, parameter)
    wanted, offered = options(parameter), options(given)
    if len(wanted) == len(offered) == 1:
        return _accepts_parts(parameter, given)
    return all(any(accepts(w, o) for w in wanted) for o in offered)


def _accepts_parts(parameter: object, given: object) -> bool:
    """The same for `list[X]`, `dict[K, V]` and so on, part by part."""
    parts = list(zip_longest(get_args(parameter), get_args(given)))
    origins = get_origin(parameter), get_origin(given)
    if not parts or not all(inspect.isclass(origin) for origin in origins):
        return False
    return accepts(*origins) and all(accepts(w, o) for w, o in parts)


def _bare(hint: object) -> object:
    """`hint` without what `Annotated` adds: that is checked when a value comes."""
    return _type(get_args(hint)[0] if get_origin(hint) is Annotated else hint)


def _type(hint: object) -> object:
    """`hint`, or the type of None, which is a hint too."""
    return NoneType if hint is None else hint


def options(hint: object) -> tuple[object, ...]:
    """The types that a union consists of, or the one that it is."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
