"""Whose turn it is to send on a connection."""

import pytest
from priority.priority import DeadlockError, DuplicateStreamError, MissingStreamError

from parallelizework.serving.turns import Turns


def test_streams_with_something_to_send_take_turns() -> None:
    turns = Turns()
    for stream in (1, 3, 5):
        turns.insert_stream(stream)
    turns.block(3)

    assert [next(turns) for _ in range(4)] == [1, 5, 1, 5]

    turns.unblock(3)
    turns.remove_stream(1)

    assert sorted(next(turns) for _ in range(4)) == [3, 3, 5, 5]


def test_nobodys_turn_is_told_as_hypercorn_expects_it() -> None:
    turns = Turns()
    turns.insert_stream(1)
    turns.block(1)

    with pytest.raises(DeadlockError):
        next(turns)


def test_streams_that_are_not_there_or_there_twice_are_told() -> None:
    turns = Turns()
    turns.insert_stream(1)

    with pytest.raises(DuplicateStreamError):
        turns.insert_stream(1)
    for change in (turns.block, turns.unblock, turns.remove_stream, turns.reprioritize):
        with pytest.raises(MissingStreamError):
            change(3)


def test_a_removing_of_the_dependency_of_another_stream_does_no_harm() -> None:
    turns = Turns()
    turns.insert_stream(1)
    turns.insert_stream(3, depends_on=1, weight=16, exclusive=True)

    turns.remove_stream(1)

    assert next(turns) == 3
