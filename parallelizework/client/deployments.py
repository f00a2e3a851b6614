"""`Deployment`: what a registered worker serves, and what another serves instead."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Deployment:
    """A worker's address, as Restate knows it.

    Attributes:
        known: Restate's own description.
        serves: The services whose new calls go to it.
        lost: The services whose new calls go elsewhere now, by the address they go to.
    """

    id: str
    url: str
    known: dict[str, Any]
    serves: Sequence[str]
    lost: dict[str, list[str]]

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
        others: The workers to which calls of these services no longer go.
        is_new: Whether the worker was asked what it serves. False where its address was
            registered before; Restate takes it that nothing has changed, unless forced.
    """

    def __init__(
        self, names: Iterable[str], others: Sequence[Deployment], *, is_new: bool
    ) -> None:
        super().__init__(names)
        self.others = others
        self.is_new = is_new


def deployments(
    known: list[dict[str, Any]], services: list[dict[str, Any]]
) -> list[Deployment]:
    """What each of the deployments serves.

    Args:
        known: The deployments, as Restate describes them.
        services: The services, the same way; each names the deployment it is at now.
    """
    owners = {service["name"]: service["deployment_id"] for service in services}
    urls = {each["id"]: address(each) for each in known}
    made: list[Deployment] = []
    for each in known:
        serves: list[str] = []
        lost: dict[str, list[str]] = defaultdict(list)
        for name in sorted(service["name"] for service in each["services"]):
            owner = owners.get(name)
            if owner == each["id"]:
                serves.append(name)
            elif owner in urls:
                lost[urls[owner]].append(name)
        made.append(Deployment(each["id"], address(each), each, serves, dict(lost)))
    return made


def address(deployment: dict[str, Any]) -> str:
    """The URL of a deployment; what there is instead, on AWS Lambda."""
    known = deployment.get("uri") or deployment.get("arn") or deployment["id"]
    return str(known).rstrip("/")
