"""`Served`: all kinds of objects that a worker can serve."""

from typing import Protocol

from restate import Service, VirtualObject, Workflow


class Servable(Protocol):
    """A `FanOut`, an `Executor` or a `Webhook`."""

    @property
    def name(self) -> str:
        """The name of the service."""
        ...

    @property
    def service(self) -> Service:
        """The Restate service that serves this object."""
        ...


RestateService = Service | VirtualObject | Workflow
Served = Servable | RestateService
