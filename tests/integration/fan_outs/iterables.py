"""Fan-outs whose `split` or `expand` returns another iterable than a list."""

from collections import deque
from collections.abc import Iterable, Iterator, KeysView, Sequence
from typing import Any, Generic, TypeVar

from parallelizework import FanOut

from .values import square, unchanged

T = TypeVar("T")


class Bag(Generic[T]):
    """An iterable of one's own, that is nothing else."""

    def __init__(self, *items: T) -> None:
        self._items = items

    def __iter__(self) -> Iterator[T]:
        yield from self._items


def a_set(_: int) -> set[int]:
    return {1, 2, 3}


def a_frozenset(_: int) -> frozenset[int]:
    return frozenset({1, 2, 3})


async def a_tuple(_: int) -> tuple[int, ...]:
    return (1, 2, 3)


def a_deque(_: int) -> deque[int]:
    return deque([1, 2, 3])


def a_range(_: int) -> Sequence[int]:
    return range(1, 4)


async def keys(_: int) -> KeysView[int]:
    return {1: "a", 2: "b", 3: "c"}.keys()


def a_bag(_: int) -> Bag[int]:
    return Bag(1, 2, 3)


def split_into(name: str, split: Any) -> FanOut[int, int, int, list[int]]:
    return FanOut(name, split=split, execute=square, aggregate=unchanged)


split_set = split_into("SplitSet", a_set)
split_frozenset = split_into("SplitFrozenset", a_frozenset)
split_tuple = split_into("SplitTuple", a_tuple)
split_deque = split_into("SplitDeque", a_deque)
split_range = split_into("SplitRange", a_range)
split_keys = split_into("SplitKeys", keys)
split_bag = split_into("SplitBag", a_bag)


def shards_of(_: int) -> list[int]:
    return [0]


expand_bag = FanOut(
    "ExpandBag",
    split=shards_of,
    expand=a_bag,
    execute=square,
    aggregate=unchanged,
)


def forgotten_list(word: str) -> Iterable[str]:
    return word


def length(word: str) -> int:
    return len(word)


split_text = FanOut(
    "SplitText", split=forgotten_list, execute=length, aggregate=unchanged
)
