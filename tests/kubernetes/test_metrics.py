"""The component `metrics`: Prometheus may read the metrics of the workers."""

import shutil
from pathlib import Path

import pytest

from .manifests import DEPLOY, Manifests, rendered
from .test_manifests import OVERLAYS, VERSIONS, invalid

PODS = {"single": "Deployment/worker-v1", "operator": "RestateDeployment/worker"}
POLICIES = {"single": "NetworkPolicy/worker-v1", "operator": "NetworkPolicy/worker"}


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def manifests(overlay: str, tmp_path: Path) -> Manifests:
    """An overlay with the line that the documentation adds to the base."""
    deploy = tmp_path / "kubernetes"
    shutil.copytree(DEPLOY, deploy)
    with deploy.joinpath("base", "kustomization.yaml").open("a") as base:
        base.write("components: [../components/metrics]\n")
    return rendered(deploy / "overlays" / overlay)


def test_each_pod_has_a_port_for_its_metrics(
    manifests: Manifests, overlay: str
) -> None:
    container = manifests.container(PODS[overlay])
    port = container.ports["metrics"]

    assert container.ports["restate"] == 9080
    assert container.environment["PARALLELIZEWORK_METRICS_BIND"] == f"0.0.0.0:{port}"
    assert container.environment["PARALLELIZEWORK_GRACE_PERIOD"] == "30"


def test_prometheus_may_call_only_the_port_of_the_metrics(
    manifests: Manifests, overlay: str
) -> None:
    [calls, metrics] = manifests[POLICIES[overlay]]["spec"]["ingress"]

    assert calls["ports"] == [{"port": "restate"}]
    assert metrics["ports"] == [{"port": "metrics"}]
    [source] = metrics["from"]
    name = {"kubernetes.io/metadata.name": "monitoring"}
    assert source == {"namespaceSelector": {"matchLabels": name}}


@pytest.mark.parametrize("version", VERSIONS)
def test_all_fields_are_in_the_schemas(
    manifests: Manifests, version: str, tmp_path: Path
) -> None:
    assert invalid(manifests.objects, version, tmp_path) == ""
