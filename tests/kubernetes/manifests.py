"""`Manifests`: what kustomize renders, and the containers in it."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .kubectl import ROOT, kubectl

DEPLOY = ROOT / "deploy" / "kubernetes"
Fields = dict[str, Any]  # of a manifest: JSON


@dataclass(frozen=True)
class Container:
    """The only container of a pod.

    Attributes:
        pod: The fields of its pod: `metadata` and `spec`.
        fields: The fields of the container itself.
    """

    pod: Fields
    fields: Fields

    @property
    def ports(self) -> dict[str, int]:
        """The ports by name."""
        return {port["name"]: port["containerPort"] for port in self.fields["ports"]}

    @property
    def environment(self) -> dict[str, str]:
        """The variables. A field of the pod is a label."""
        return {each["name"]: self._value(each) for each in self.fields["env"]}

    @property
    def arguments(self) -> list[str]:
        """The arguments; `$(NAME)` is the value of a variable, as Kubernetes does."""
        return [
            re.sub(r"\$\((\w+)\)", lambda name: self.environment[name[1]], argument)
            for argument in self.fields["args"]
        ]

    def probes(self) -> Mapping[str, tuple[int, str]]:
        """The port and the path of each probe."""
        names = ("startupProbe", "readinessProbe", "livenessProbe")
        gets = {name: self.fields[name]["httpGet"] for name in names}
        return {
            name: (self.ports[get["port"]], get["path"]) for name, get in gets.items()
        }

    def _value(self, variable: Fields) -> str:
        if "value" in variable:
            return variable["value"]
        path = variable["valueFrom"]["fieldRef"]["fieldPath"]
        label = re.fullmatch(r"metadata\.labels\['(.+)'\]", path)
        assert label, path
        return self.pod["metadata"]["labels"][label[1]]


@dataclass(frozen=True)
class Manifests:
    """All objects of one folder, rendered."""

    text: str
    objects: tuple[Fields, ...]

    def __getitem__(self, name: str) -> Fields:
        """The object with a name such as `Service/worker-v1`."""
        found = {f"{each['kind']}/{each['metadata']['name']}": each for each in self}
        return found[name]

    def __iter__(self):
        return iter(self.objects)

    def names(self) -> set[str]:
        """The kinds and names of all objects."""
        return {f"{each['kind']}/{each['metadata']['name']}" for each in self}

    def container(self, name: str) -> Container:
        """The container of an object such as `Deployment/worker-v1`."""
        pod = self[name]["spec"]["template"]
        [fields] = pod["spec"]["containers"]
        return Container(pod, fields)


def rendered(folder: Path) -> Manifests:
    """Return what `kubectl apply -k FOLDER` would apply."""
    command = [kubectl(), "kustomize", str(folder)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Manifests(text, tuple(yaml.safe_load_all(text)))
