"""`Promises`: a virtual object of promises; each key is a promise."""

from datetime import timedelta
from typing import Any

from restate import VirtualObject

from parallelizework.definition.checks import checked_name
from parallelizework.errors import DefinitionError
from parallelizework.events.handlers import FORGOTTEN, PRIVATE, SHARED, add_handler
from parallelizework.events.promises.handlers import (
    PromiseHandlers,
    answered_json,
    peeked_json,
    rejection_json,
    value_json,
    waiter_json,
)
from parallelizework.serde.validated_json import Json
from parallelizework.served import RestateService, Servable

_ONE_DAY = timedelta(days=1)
_LONGEST = timedelta(days=3_650)
_nothing_json = Json[Any](Any, "nothing")


class Promises(Servable):
    """A virtual object of promises. Each key is a promise, and needs no creation.

    `POST /restate/call/Promise/KEY/resolve` settles a promise with any JSON value.
    `reject` settles the promise with an error. The first answer counts. `await` returns
    the value as soon as the promise is settled, or fails with the error. Any number of
    processes may wait. A handler that waits is suspended. `peek` does not wait.

    Args:
        name: The name of the virtual object: letters, digits, `_`, `.` and `-`.
        retention: How long a promise is kept after it is settled. Default: one day.

    Attributes:
        name: The name of the virtual object.

    Raises:
        DefinitionError: Restate does not accept the name, or `retention` is not a time
            from now.

    Examples:
        ```python
        app = parallelizework.app(lengths, Promises())
        ```
    """

    def __init__(
        self, name: str = "Promise", *, retention: timedelta = _ONE_DAY
    ) -> None:
        if not timedelta(0) < retention <= _LONGEST:
            raise DefinitionError(
                f"retention={retention} of {name}: use more than 0 and at most 3650 "
                "days"
            )
        self.name = checked_name(name)
        self._retention = retention

    def __repr__(self) -> str:
        return f"Promises({self.name!r})"

    @property
    def service(self) -> VirtualObject:
        """The virtual object of the promises."""
        made = VirtualObject(
            self.name,
            description="Promises: values that are decided later",
            journal_retention=timedelta(0),
            idempotency_retention=self._retention,
            enable_lazy_state=True,
        )
        handlers = PromiseHandlers(self.name, self._retention)
        types = (value_json, answered_json)
        add_handler(made, "resolve", handlers.resolve, types)
        types = (rejection_json, answered_json)
        add_handler(made, "reject", handlers.reject, types)
        types = (_nothing_json, peeked_json)
        add_handler(made, "peek", handlers.peek, types, **SHARED, **FORGOTTEN)
        types = (_nothing_json, value_json)
        add_handler(made, "await", handlers.await_, types, **SHARED)
        nothing = (_nothing_json, _nothing_json)
        add_handler(made, "dispose", handlers.dispose, nothing)
        types = (waiter_json, _nothing_json)
        add_handler(made, "subscribe", handlers.subscribe, types, **PRIVATE)
        add_handler(made, "unsubscribe", handlers.unsubscribe, types, **PRIVATE)
        add_handler(made, "forget", handlers.forget, types, **PRIVATE)
        return made

    @property
    def services(self) -> list[RestateService]:
        """The Restate services of the promises: the virtual object alone."""
        return [self.service]
