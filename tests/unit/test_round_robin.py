"""The order in which the streams of a connection send."""

import pytest
from priority.priority import DeadlockError, DuplicateStreamError, MissingStreamError

from parallelizework.serving.hypercorn_fixes.round_robin import RoundRobin


def test_streams_with_something_to_send_send_one_after_another() -> None:
    streams = RoundRobin()
    for stream in (1, 3, 5):
        streams.insert_stream(stream)
    streams.block(3)

    assert [next(streams) for _ in range(4)] == [1, 5, 1, 5]

    streams.unblock(3)
    streams.remove_stream(1)

    assert sorted(next(streams) for _ in range(4)) == [3, 3, 5, 5]


def test_without_a_stream_to_send_the_error_is_the_one_hypercorn_expects() -> None:
    streams = RoundRobin()
    streams.insert_stream(1)
    streams.block(1)

    with pytest.raises(DeadlockError):
        next(streams)


def test_a_stream_that_is_unknown_or_known_already_is_an_error() -> None:
    streams = RoundRobin()
    streams.insert_stream(1)

    with pytest.raises(DuplicateStreamError):
        streams.insert_stream(1)
    for change in (
        streams.block,
        streams.unblock,
        streams.remove_stream,
        streams.reprioritize,
    ):
        with pytest.raises(MissingStreamError):
            change(3)


def test_a_stream_may_depend_on_one_that_is_removed() -> None:
    streams = RoundRobin()
    streams.insert_stream(1)
    streams.insert_stream(3, depends_on=1, weight=16, exclusive=True)

    streams.remove_stream(1)

    assert next(streams) == 3
