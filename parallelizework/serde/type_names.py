"""Names of types for messages, and how a value differs from its type. Pure."""

import re
from inspect import isclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

_MODULES = re.compile(r"(?<!['\"])\b(?:(?:[A-Za-z_]\w*|<locals>)\.)+")


def type_name(hint: object) -> str:
    """Return the name of a type without its modules and constraints: `list[Photo]`."""
    if get_origin(hint) is Annotated:
        return type_name(get_args(hint)[0])
    if hint is None or hint is NoneType:
        return "None"
    is_plain = isclass(hint) and not get_args(hint)
    return _MODULES.sub("", getattr(hint, "__name__", "") if is_plain else repr(hint))


def type_names(*hints: object) -> list[str]:
    """Return the names of different types; with modules if two names are the same."""
    names = [type_name(hint) for hint in hints]
    return names if len(set(names)) == len(names) else [repr(hint) for hint in hints]


def with_article(name: str) -> str:
    """Return the name of a type with its article: `an int`, `a Photo`, `None`."""
    if name == "None":
        return name
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


def mismatch(value: object, hint: object) -> str | None:
    """Return how a value differs from its type: `is a dict, but its type is Job`.

    None if the value, without its parts, is of that type, or if this is not known.
    """
    kinds: list[Any] = [get_origin(kind) or kind for kind in _options(hint)]
    if float in kinds:
        kinds.append(int)
    try:
        if isinstance(value, tuple(kinds)):
            return None
    except TypeError:  # of a type without instances, such as a Literal
        return None
    kind, expected = type_names(type(value), hint)
    return f"is {with_article(kind)}, but its type is {expected}"


def _options(hint: object) -> list[object]:
    """The types of a union, without `Annotated`."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _options(args[0])
    if origin in (Union, UnionType):
        return [option for arg in args for option in _options(arg)]
    return [NoneType if hint is None else hint]
