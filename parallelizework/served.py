"""`Served`: all kinds of objects that a worker can serve."""

from typing import Protocol

from restate import Service, VirtualObject, Workflow

RestateService = Service | VirtualObject | Workflow


class Servable(Protocol):
    """A `FanOut`, an `Executor`, a `Webhook`, a `Join` or a `Promises`."""

    @property
    def name(self) -> str:
        """The name of the service."""
        ...

    @property
    def service(self) -> RestateService:
        """The Restate service that serves this object."""
        ...


Served = Servable | RestateService
