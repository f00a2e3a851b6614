"""`Served`: what can be served."""

from typing import Protocol

from restate import Service, VirtualObject, Workflow


class Servable(Protocol):
    """A `FanOut` or an `Executor`."""

    @property
    def name(self) -> str:
        """The name of the service."""
        ...

    @property
    def service(self) -> Service:
        """The Restate service."""
        ...


RestateService = Service | VirtualObject | Workflow
Served = Servable | RestateService
