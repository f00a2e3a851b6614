"""`Served`: all kinds of objects that a worker can serve."""

from restate import Service, VirtualObject, Workflow

RestateService = Service | VirtualObject | Workflow


class Servable:
    """The base class of `FanOut`, `Executor`, `Webhook` and so on.

    Attributes:
        name: The name of the service.
    """

    name: str

    @property
    def service(self) -> RestateService:
        """The Restate service that serves this object."""
        raise NotImplementedError


Served = Servable | RestateService
