"""`Join`: a virtual object that collects events, and starts a run with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

from restate import VirtualObject

from parallelizework.events.handlers import (
    FORGOTTEN,
    PRIVATE,
    SHARED,
    add_handler,
)
from parallelizework.events.joins.collector import Collector
from parallelizework.events.joins.definition import Rules, define_join
from parallelizework.events.joins.key import (
    added_json,
    check_json,
    checked_json,
    collected_json,
    discard_json,
    round_json,
    timer_json,
)
from parallelizework.events.joins.starter import Starter
from parallelizework.events.joins.upkeep import Upkeep
from parallelizework.serde.json_handler import JsonHandler
from parallelizework.serde.validated_json import Json
from parallelizework.served import RestateService, Servable

Event = TypeVar("Event")

_ONE_DAY = timedelta(days=1)
_nothing_json = Json[Any](Any, "nothing")

_Handler = tuple[str, JsonHandler, tuple[Json[Any], Json[Any]], dict[str, Any]]


class Join(Servable):
    """A virtual object that collects events, and starts a run of a fan-out with them.

    Events that belong together have the same key, such as the id of an order. An event
    is sent to `INGRESS/restate/call/NAME/KEY/add`. An event that does not fit its type
    is refused with 400. The events of one key are collected in a round. A round ends
    when one of the rules `until`, `within` and `quiet_for` ends it. Then its events
    are the task of one run. The next event begins a new round.

    Duplicates do not count, also not in the next round. There are two ways to recognize
    them. With `id_of`, an event with a known id does not count. Without `id_of`, a
    request with a known header `Idempotency-Key` does not count.

    Args:
        name: The name of the virtual object: letters, digits, `_`, `.` and `-`.
        event: The type of an event: any type that pydantic can describe, also a union.
        into: The fan-out that receives the events, or its name.
        until: The number of events that is enough, up to 10,000. Or a function
            `(list[Event]) -> bool`. The function is called once for each event, with
            all events of the round up to this one. So its cost grows with the square of
            the number of events: use a number if the rule is a number.
        within: A round ends when this time has passed since its first event.
        quiet_for: A round ends when no event has come for this time.
        task: `(str, list[Event], JoinReason) -> Task`: makes the task of the run from
            the key, the events in the order of their arrival, and the reason why the
            round has ended. The type hint of a parameter decides what it receives. Each
            parameter may be absent. Default: the list of the events is the task.
        id_of: `(Event) -> str`, sync: the id of an event. An event with a known id does
            not count, also not in the next round. Default: events have no id.
        retention: How long the ids of events are known, at least; at most twice as
            long. A key without events is forgotten after this time. Default: one day.

    Attributes:
        name: The name of the virtual object.

    Raises:
        DefinitionError: Restate does not accept the name; there is no rule; a function
            is not callable, lacks a type hint, or does not fit the events or the task.

    Examples:
        ```python
        orders = Join("Order", event=OrderEvent, into=shipments, until=3)
        app = parallelizework.app(shipments, orders)
        ```
    """

    def __init__(  # noqa: PLR0913 - the public API is these names
        self,
        name: str,
        *,
        event: object,
        into: Servable | str,
        until: (
            int
            | Callable[[list[Event]], bool]
            | Callable[[list[Event]], Awaitable[bool]]
            | None
        ) = None,
        within: timedelta | None = None,
        quiet_for: timedelta | None = None,
        task: Callable[..., object] | None = None,
        id_of: Callable[[Event], str] | None = None,
        retention: timedelta = _ONE_DAY,
    ) -> None:
        count = None if callable(until) else until
        rules = Rules(count, within, quiet_for, retention)
        predicate = until if callable(until) else None
        functions = {"until": predicate, "task": task, "id_of": id_of}
        self._definition = define_join(name, event, into, rules, functions)
        self.name = name

    def __repr__(self) -> str:
        return f"Join({self.name!r})"

    @property
    def service(self) -> VirtualObject:
        """The virtual object of the join."""
        definition = self._definition
        made = VirtualObject(
            definition.name,
            description=f"Join {definition.name}",
            journal_retention=timedelta(0),
            idempotency_retention=definition.rules.retention,
            enable_lazy_state=True,
        )
        for name, function, types, options in self._handlers():
            add_handler(made, name, function, types, **options)
        return made

    @property
    def services(self) -> list[RestateService]:
        """The Restate services of the join: the virtual object alone."""
        return [self.service]

    def _handlers(self) -> Iterator[_Handler]:
        """The handlers: name, function, types of input and output, options."""
        definition = self._definition
        collector, upkeep = Collector(definition), Upkeep(definition)
        starter = Starter(definition)
        public: dict[str, Any] = {}
        known_by_id = FORGOTTEN if definition.id_of else public
        answers = (_nothing_json, collected_json)
        yield "add", collector.add, (definition.event_json, added_json), known_by_id
        yield "close", collector.close, answers, public
        yield "retry", collector.retry, answers, public
        yield "get", collector.get, answers, SHARED | FORGOTTEN
        private = {
            "expire": (upkeep.expire, timer_json),
            "checked": (upkeep.checked, checked_json),
            "started": (upkeep.started, round_json),
            "discard": (upkeep.discard, discard_json),
            "forget": (upkeep.forget, _nothing_json),
        }
        for name, (function, accepted) in private.items():
            yield name, function, (accepted, _nothing_json), PRIVATE
        is_shared = PRIVATE | SHARED
        yield "check", starter.check, (check_json, _nothing_json), is_shared
        yield "start", starter.start, (round_json, _nothing_json), is_shared
