"""`Deployment`: what a registered worker serves, and what another serves instead."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from parallelizework.client.models import FrozenModel
from parallelizework.messages import HandlerName

_FAN_OUT = {HandlerName.RUN, HandlerName.RUN_SEGMENT}  # by which to know one


class Named(FrozenModel):
    """Something of which only the name matters."""

    name: str


class Service(Named):
    """A service that is served, as Restate describes it."""

    handlers: Sequence[Named]
    deployment_id: str

    @property
    def is_fan_out(self) -> bool:
        """Whether it is a fan-out: an executor has no `run`."""
        return {handler.name for handler in self.handlers} >= _FAN_OUT


class Deployment(FrozenModel):
    """A worker's address, as Restate describes it.

    Attributes:
        serves: The services whose new calls go to it.
        lost: The services whose new calls go elsewhere now, by the address they go to.
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
        """Its URL; what there is instead, on AWS Lambda."""
        return (self.uri or self.arn or self.id).rstrip("/")

    @property
    def is_idle(self) -> bool:
        """Whether nothing new goes to it."""
        return not self.serves

    @property
    def all_lost(self) -> list[str]:
        """The services whose new calls go elsewhere now."""
        return [name for names in self.lost.values() for name in names]

    def __str__(self) -> str:
        parts = [f"{self.url} serves {', '.join(self.serves) or 'nothing any more'}"]
        parts += [f"{', '.join(names)}: now {url}" for url, names in self.lost.items()]
        return "; ".join(parts)


class Registered(list[str]):
    """The names of the services of a worker that was registered.

    Attributes:
        fan_outs: Those of them that are fan-outs.
        others: The workers to which calls of these services no longer go.
        is_new: Whether the worker was asked what it serves. False where its address was
            registered before; Restate assumes that nothing has changed, unless forced.
    """

    def __init__(
        self, made: Sequence[Service], others: Sequence[Deployment], *, is_new: bool
    ) -> None:
        super().__init__(service.name for service in made)
        self.fan_outs = [service.name for service in made if service.is_fan_out]
        self.others = others
        self.is_new = is_new


def fan_outs(services: Iterable[Service]) -> list[str]:
    """The names of those services that are fan-outs, sorted."""
    return sorted(service.name for service in services if service.is_fan_out)


def with_services(
    known: Sequence[Deployment], services: Iterable[Service]
) -> list[Deployment]:
    """The deployments, each with what it serves and has lost.

    Args:
        services: All that are served; each names the deployment where it is now.
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
