"""`Deployment`: what a registered worker serves, and what another serves instead."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from parallelizework.messages import HandlerName

_FAN_OUT = {HandlerName.RUN, HandlerName.RUN_SEGMENT}  # by which to know one


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Named(_Model):
    """Something of which only the name matters."""

    name: str


class Service(_Model):
    """A service that is served, as Restate describes it."""

    name: str
    handlers: tuple[Named, ...]
    deployment_id: str

    @property
    def is_fan_out(self) -> bool:
        """Whether it is a fan-out: an executor has no `run`."""
        return {handler.name for handler in self.handlers} >= _FAN_OUT


class Description(_Model):
    """A deployment, as Restate describes it."""

    id: str
    services: tuple[Named, ...]
    uri: str | None = None
    arn: str | None = None
    sdk_version: str | None = None
    min_protocol_version: int
    max_protocol_version: int
    protocol_type: str | None = None
    http_version: str | None = None

    @property
    def url(self) -> str:
        """Its URL; what there is instead, on AWS Lambda."""
        return (self.uri or self.arn or self.id).rstrip("/")


@dataclass(frozen=True)
class Deployment:
    """A worker's address, as Restate knows it.

    Attributes:
        known: Restate's own description.
        serves: The services whose new calls go to it.
        lost: The services whose new calls go elsewhere now, by the address they go to.
    """

    known: Description
    serves: Sequence[str]
    lost: dict[str, list[str]]

    @property
    def id(self) -> str:
        """Its id."""
        return self.known.id

    @property
    def url(self) -> str:
        """Its address."""
        return self.known.url

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
            registered before; Restate takes it that nothing has changed, unless forced.
    """

    def __init__(
        self,
        services: Iterable[Service],
        others: Sequence[Deployment],
        *,
        is_new: bool,
    ) -> None:
        super().__init__(service.name for service in services)
        self.fan_outs = [service.name for service in services if service.is_fan_out]
        self.others = others
        self.is_new = is_new


def fan_outs(services: Iterable[Service]) -> list[str]:
    """The names of those services that are fan-outs, sorted."""
    return sorted(service.name for service in services if service.is_fan_out)


def deployments(
    known: Iterable[Description], services: Iterable[Service]
) -> list[Deployment]:
    """What each of the deployments serves; each service names the one it is at now."""
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
        made.append(Deployment(each, serves, dict(lost)))
    return made
