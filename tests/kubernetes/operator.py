"""The fields of the operator's objects, and the usual objects that they contain.

Written after version 2 of the operator (github.com/restatedev/restate-operator). The
models have only the fields that deploy/kubernetes uses; any other field is an error.
`standard` returns the pods and peers in them as objects whose schemas Kubernetes has.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from .manifests import Fields

Name = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ClusterMetadata(_Strict):
    """A RestateCluster is in no namespace. It makes a namespace with its name."""

    name: Name


class Provision(_Strict):
    autoProvision: bool


class Compute(_Strict):
    replicas: int = Field(ge=1)
    image: str
    env: list[Fields]
    resources: Fields
    topologySpreadConstraints: list[Fields]


class Storage(_Strict):
    storageRequestBytes: int = Field(ge=1)


class Peers(_Strict):
    ingress: list[Fields]


class Security(_Strict):
    networkPeers: Peers


class ClusterSpec(_Strict):
    cluster: Provision
    compute: Compute
    storage: Storage
    security: Security
    config: str


class RestateCluster(_Strict):
    apiVersion: Literal["restate.dev/v1"]
    kind: Literal["RestateCluster"]
    metadata: ClusterMetadata
    spec: ClusterSpec

    def standard(self) -> list[Fields]:
        """The pod and the policy that the operator makes, as far as they are given."""
        given = self.spec.compute
        container = {
            "name": "restate",
            "image": given.image,
            "env": given.env,
            "resources": given.resources,
        }
        spread = given.topologySpreadConstraints
        pod = {"containers": [container], "topologySpreadConstraints": spread}
        peers = self.spec.security.networkPeers.ingress
        policy: Fields = {"podSelector": {}, "ingress": [{"from": peers}]}
        return [
            _object("v1", "Pod", pod),
            _object("networking.k8s.io/v1", "NetworkPolicy", policy),
        ]


class DeploymentMetadata(_Strict):
    name: Name
    namespace: Name


class Register(_Strict):
    cluster: Name


class Restate(_Strict):
    register_: Register = Field(alias="register")  # pydantic has a method `register`


class DeploymentSpec(_Strict):
    restate: Restate
    selector: Fields
    template: Fields


class RestateDeployment(_Strict):
    apiVersion: Literal["restate.dev/v1beta1"]
    kind: Literal["RestateDeployment"]
    metadata: DeploymentMetadata
    spec: DeploymentSpec

    def standard(self) -> list[Fields]:
        """The ReplicaSet that the operator makes."""
        spec = {"selector": self.spec.selector, "template": self.spec.template}
        return [_object("apps/v1", "ReplicaSet", spec)]


def _object(version: str, kind: str, spec: Fields) -> Fields:
    metadata = {"name": "operator"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
