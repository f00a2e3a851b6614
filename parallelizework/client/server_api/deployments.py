"""`Deployment`: a registered worker, and the services that it serves or has lost."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from parallelizework.client.models import FrozenModel
from parallelizework.messages import HandlerName

_FAN_OUT = {HandlerName.RUN, HandlerName.RUN_SEGMENT}  # only a fan-out has both


class Named(FrozenModel):
    """An object of Restate's API of which we read only the name."""

    name: str


class Service(Named):
    """A service that a registered worker serves."""

    handlers: Sequence[Named]
    deployment_id: str

    @property
    def is_fan_out(self) -> bool:
        """Whether the service is a fan-out; an executor has no `run`."""
        return {handler.name for handler in self.handlers} >= _FAN_OUT


class Deployment(FrozenModel):
    """A registered worker, as Restate describes it.

    Attributes:
        serves: The services whose new calls are sent to this worker.
        lost: The services whose new calls are now sent to another worker, by the URL of
            that worker.
    """

    id: str
    uri: str | None = None
    arn: str | None = None
    services: Sequence[Named]
    sdk_version: str | None = None
    min_protocol_version: int
    max_protocol_version: int
    protocol_type: str | None = None
    http_version: str | None = None
    serves: Sequence[str] = ()
    lost: Mapping[str, Sequence[str]] = {}

    @property
    def url(self) -> str:
        """The URL; on AWS Lambda, the ARN."""
        return (self.uri or self.arn or self.id).rstrip("/")

    @property
    def is_idle(self) -> bool:
        """Whether no new calls are sent to this worker."""
        return not self.serves

    @property
    def all_lost(self) -> list[str]:
        """The services whose new calls are now sent to other workers."""
        return [name for names in self.lost.values() for name in names]

    def __str__(self) -> str:
        names = ", ".join(self.serves)
        parts = [f"serves {names}" if names else "receives no new calls"]
        for url, lost in self.lost.items():
            parts.append(f"{url} now serves {', '.join(lost)}")
        return f"{self.url} {'; '.join(parts)}"


class Registered(list[str]):
    """The names of the services of a worker that was registered, sorted.

    Attributes:
        fan_outs: The names of the services that are fan-outs.
        others: The workers that have lost some of these services to this worker.
        is_new: Whether the URL was not registered before, or `force` was set. If False,
            Restate did not ask the worker for its services again.
    """

    def __init__(
        self, made: Sequence[Service], others: Sequence[Deployment], *, is_new: bool
    ) -> None:
        super().__init__(sorted(service.name for service in made))
        self.fan_outs = fan_outs(made)
        self.others = others
        self.is_new = is_new


def fan_outs(services: Iterable[Service]) -> list[str]:
    """The names of the services that are fan-outs, sorted."""
    return sorted(service.name for service in services if service.is_fan_out)


def with_services(
    known: Sequence[Deployment], services: Iterable[Service]
) -> list[Deployment]:
    """The deployments, each with the services that it serves and has lost.

    Args:
        services: All services; each names the deployment that serves it now.
    """
    urls = {each.id: each.url for each in known}
    owners = {service.name: service.deployment_id for service in services}
    made: list[Deployment] = []
    for each in known:
        serves: list[str] = []
        lost: dict[str, list[str]] = defaultdict(list)
        for name in sorted(service.name for service in each.services):
            owner = owners.get(name, "")
            if owner == each.id:
                serves.append(name)
            elif owner in urls:
                lost[urls[owner]].append(name)
        made.append(each.model_copy(update={"serves": serves, "lost": dict(lost)}))
    return made
