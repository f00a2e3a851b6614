"""Pieces: outcomes as messages, each far below the limit of a message. Pure."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from pydantic_core import to_json

from parallelizework.messages import Outcomes
from parallelizework.serde.message_limit import message_limit

_PIECES = 8  # that a message of the largest size could hold

T = TypeVar("T")


def pieces(outcomes: Outcomes) -> list[Outcomes]:
    """Return the outcomes of a run that has ended, in pieces; one piece if possible.

    In the pieces, all outcomes count. Only a single large value or subtask makes a
    piece larger than an eighth of the largest message.
    """
    head = Outcomes(
        succeeded=outcomes.all_successes, shard_values=outcomes.shard_values
    )
    found = [head]
    found += [Outcomes(values=each) for each in _chunks(outcomes.values, _size)]
    found += [Outcomes(failures=each) for each in _chunks(outcomes.all_failures, _size)]
    for rest in outcomes.rest:
        for chunk in _chunks(rest.indexed(), _size):
            indexes, items = [i for i, _ in chunk], [item for _, item in chunk]
            update = {"indexes": indexes, "items": items}
            found.append(Outcomes(rest=[rest.model_copy(update=update)]))
    return _packed(found)


def joined(all_pieces: Iterable[Outcomes]) -> Outcomes:
    """Return the outcomes that are in pieces."""
    first, *others = all_pieces
    values, failures, rest = [*first.values], [*first.failures], [*first.rest]
    for each in others:
        values += each.values
        failures += each.failures
        rest += each.rest
    update = {"values": values, "failures": failures, "rest": rest}
    return first.model_copy(update=update)


def _packed(found: list[Outcomes]) -> list[Outcomes]:
    """Fewer pieces: neighbors that are small enough together become one."""
    packed: list[Outcomes] = []
    for chunk in _chunks(found, _size):
        packed.append(joined(chunk))
    return packed


def _chunks(items: Iterable[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    chunk: list[T] = []
    total, largest = 0, message_limit.size // _PIECES
    for item in items:
        size = size_of(item)
        if chunk and total + size > largest:
            yield chunk
            chunk, total = [], 0
        chunk.append(item)
        total += size
    if chunk:
        yield chunk


def _size(plain: Any) -> int:
    return len(to_json(plain))
