"""What is asked again, and what is not, when nobody answers."""

import pytest

from parallelizework.client.exchange import Answer, Request, TimedOut, ask, need
from parallelizework.errors import Refused, Unreachable

URL = "http://127.0.0.1:1/"


def test_what_may_be_sent_twice_is_asked_again_after_a_pause() -> None:
    exchange = ask(Request("GET", URL, repeatable=True))

    assert isinstance(next(exchange), Request)
    assert exchange.throw(Unreachable()) == 0.1
    assert isinstance(exchange.send(Answer()), Request)
    with pytest.raises(StopIteration) as end:
        exchange.send(Answer(200, b"{}"))

    assert end.value.value == Answer(200, b"{}")


def test_what_may_not_is_asked_once() -> None:
    exchange = ask(Request("POST", URL))
    next(exchange)

    with pytest.raises(Unreachable):
        exchange.throw(Unreachable())


def test_it_gives_up_in_the_end() -> None:
    exchange = ask(Request("GET", URL, repeatable=True))
    next(exchange)

    for pause in (0.1, 0.3, 1.0):
        assert exchange.throw(Unreachable()) == pause
        exchange.send(Answer())
    with pytest.raises(Unreachable):
        exchange.throw(Unreachable())


def test_what_was_taken_but_not_answered_is_not_asked_again() -> None:
    exchange = ask(Request("GET", URL, repeatable=True))
    next(exchange)

    with pytest.raises(TimedOut):
        exchange.throw(TimedOut())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"message": "no such thing"}', "no such thing"),
        (b"oops", "oops"),
        (b"", "500"),
    ],
)
def test_an_error_is_told_in_the_servers_own_words(body: bytes, message: str) -> None:
    exchange = need(Request("GET", URL))
    next(exchange)

    with pytest.raises(Refused, match=message):
        exchange.send(Answer(500, body))


GATEWAY = Answer(502, b"<h1>Bad gateway</h1>")


def test_an_outage_is_waited_for_and_then_named() -> None:
    exchange = ask(Request("GET", URL, repeatable=True))
    next(exchange)

    for pause in (0.1, 0.3, 1.0, 2.0, 4.0):
        assert exchange.send(GATEWAY) == pause
        exchange.send(Answer())
    with pytest.raises(Unreachable, match=r"502 by a proxy .*Bad gateway"):
        exchange.send(GATEWAY)


def test_what_may_not_be_sent_twice_is_not_sent_again_after_an_outage() -> None:
    exchange = ask(Request("POST", URL))
    next(exchange)

    with pytest.raises(Unreachable):
        exchange.send(GATEWAY)


BODY = b'{"code": 503, "message": "busy"'


@pytest.mark.parametrize(
    ("answer", "is_outage", "is_of_invocation"),
    [
        (GATEWAY, True, False),
        (Answer(504, b""), True, False),
        (Answer(503, BODY + b"}", "ingress"), True, False),
        (Answer(503, BODY + b', "source": "ingress"}'), True, False),
        (Answer(503, BODY + b"}", "invocation"), False, True),
        (Answer(503, BODY + b', "source": "invocation"}'), False, True),
        (Answer(503, BODY + b"}"), False, True),
        (Answer(500, b"oops"), False, False),
        (Answer(403, b"[]"), False, False),
    ],
)
def test_an_error_of_a_proxy_is_told_from_that_of_an_invocation(
    answer: Answer, *, is_outage: bool, is_of_invocation: bool
) -> None:
    assert answer.is_outage == is_outage
    assert answer.is_of_invocation == is_of_invocation
