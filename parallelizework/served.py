"""`Served`: all kinds of objects that a worker can serve."""

from restate import Service, VirtualObject, Workflow

from parallelizework.definition.execute import ExecuteDefinition

RestateService = Service | VirtualObject | Workflow


class Servable:
    """The base class of `FanOut`, `Executor`, `Webhook` and so on.

    Attributes:
        name: The name of the service.
        delivers_events: Whether the service delivers events to subtasks that wait.
    """

    name: str
    delivers_events = False

    @property
    def service(self) -> RestateService:
        """The Restate service that serves this object."""
        raise NotImplementedError

    @property
    def executes(self) -> ExecuteDefinition | None:
        """How the service executes subtasks; None if the service executes none."""
        return None


Served = Servable | RestateService
