"""The fields of the manifests in deploy/kubernetes."""

import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from .manifests import DEPLOY, Fields, Manifests, rendered
from .operator import RestateCluster, RestateDeployment
from .second_version import both_versions

VALIDATE = Path(sys.executable).parent / "kubernetes-validate"
OVERLAYS = ["single", "operator"]
VERSIONS = ["1.29", "1.37"]  # the oldest and the newest
SERVER = "docker.restate.dev/restatedev/restate:1.7.12"
MODELS = {"RestateCluster": RestateCluster, "RestateDeployment": RestateDeployment}


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> Manifests:
    return rendered(DEPLOY / "overlays" / request.param)


@pytest.fixture(scope="module")
def single() -> Manifests:
    return rendered(DEPLOY / "overlays" / "single")


@pytest.fixture(scope="module")
def operator() -> Manifests:
    return rendered(DEPLOY / "overlays" / "operator")


def standard(given: Fields) -> list[Fields]:
    """The object itself, or the usual objects in an object of the operator."""
    model = MODELS.get(given["kind"])
    return model.model_validate(given).standard() if model else [given]


def invalid(objects: Iterable[Fields], version: str, folder: Path) -> str:
    """The report about invalid fields; empty if all fields are valid."""
    try:
        known = [each for given in objects for each in standard(given)]
    except ValidationError as error:
        return str(error)
    path = folder / "objects.yaml"
    path.write_text(yaml.safe_dump_all(known))
    command = [VALIDATE, "--strict", "--quiet", "-k", version, path]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    report = ended.stdout + ended.stderr
    assert bool(report) == bool(ended.returncode), report
    return report


@pytest.mark.parametrize("version", VERSIONS)
def test_all_fields_are_in_the_schemas(
    manifests: Manifests, version: str, tmp_path: Path
) -> None:
    assert invalid(manifests.objects, version, tmp_path) == ""


def test_a_wrong_field_of_each_object_is_reported(
    manifests: Manifests, tmp_path: Path
) -> None:
    for given in manifests:
        wrong = {**given, "spec": {**given.get("spec", {}), "hostPorts": 1}}
        assert "hostPorts" in invalid([wrong], VERSIONS[-1], tmp_path), given


def test_a_wrong_field_of_a_pod_of_the_operator_is_reported(
    operator: Manifests, tmp_path: Path
) -> None:
    given = operator["RestateDeployment/worker"]
    template = given["spec"]["template"]
    pod = {**template, "spec": {**template["spec"], "hostPorts": 1}}
    wrong = {**given, "spec": {**given["spec"], "template": pod}}

    assert "hostPorts" in invalid([wrong], VERSIONS[-1], tmp_path)


def test_single_has_all_objects_of_a_version_and_one_server(single: Manifests) -> None:
    assert single.names() == {
        "Namespace/parallelizework",
        "StatefulSet/restate",
        "Service/restate",
        "NetworkPolicy/restate",
        "Deployment/worker-v1",
        "Service/worker-v1",
        "Job/register-v1",
        "PodDisruptionBudget/worker-v1",
        "HorizontalPodAutoscaler/worker-v1",
        "NetworkPolicy/worker-v1",
    }


def test_operator_has_no_object_that_the_operator_makes(operator: Manifests) -> None:
    assert operator.names() == {
        "Namespace/parallelizework",
        "RestateCluster/restate",
        "RestateDeployment/worker",
        "PodDisruptionBudget/worker",
        "HorizontalPodAutoscaler/worker",
        "NetworkPolicy/worker",
    }


def pods(manifests: Manifests) -> dict[str, Fields]:
    """The pod of each object that has one."""
    return {
        f"{each['kind']}/{each['metadata']['name']}": each["spec"]["template"]["spec"]
        for each in manifests
        if "template" in each.get("spec", {})
    }


def test_each_pod_is_restricted(manifests: Manifests) -> None:
    for name, pod in pods(manifests).items():
        [container] = pod["containers"]
        security = container["securityContext"]

        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert security["readOnlyRootFilesystem"] is True, name
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["capabilities"] == {"drop": ["ALL"]}, name
        assert "memory" in container["resources"]["limits"], name


def test_each_pod_may_write_to_tmp(manifests: Manifests) -> None:
    for name, pod in pods(manifests).items():
        [container] = pod["containers"]
        mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}

        [volume] = [each for each in pod["volumes"] if each["name"] == mounts["/tmp"]]
        assert "emptyDir" in volume, name


def test_no_pod_has_the_variables_of_services(manifests: Manifests) -> None:
    # RESTATE_PORT=tcp://... would be a setting of restate-server.
    for name, pod in pods(manifests).items():
        assert pod["enableServiceLinks"] is False, name


def test_the_user_of_the_worker_is_the_user_of_the_image(manifests: Manifests) -> None:
    image = (DEPLOY.parents[1] / "Dockerfile").read_text()
    [worker] = [pod for name, pod in pods(manifests).items() if "/worker" in name]

    user = worker["securityContext"]["runAsUser"]
    group = worker["securityContext"]["runAsGroup"]
    assert f"USER {user}:{group}\n" in image


def test_the_server_is_the_one_of_docker_compose(
    single: Manifests, operator: Manifests
) -> None:
    compose = (DEPLOY.parents[1] / "docker-compose.yml").read_text()

    assert f"image: {SERVER}\n" in compose
    assert single.container("StatefulSet/restate").fields["image"] == SERVER
    assert operator["RestateCluster/restate"]["spec"]["compute"]["image"] == SERVER


def test_the_operator_starts_the_same_pods() -> None:
    base = rendered(DEPLOY / "base")["Deployment/worker"]["spec"]["template"]
    operator = rendered(DEPLOY / "overlays" / "operator")
    given = operator["RestateDeployment/worker"]["spec"]["template"]

    base["spec"]["containers"][0]["image"] += ":v1"
    assert given == base


def selected(selector: Fields, labels: dict[str, str]) -> bool:
    """Whether a selector with `matchLabels` and `In` selects these labels."""
    expressions = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in expressions)
    wanted = selector.get("matchLabels", {}).items()
    return wanted <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in expressions
    )


def test_only_the_server_may_call_a_worker(single: Manifests) -> None:
    policy = single["NetworkPolicy/worker-v1"]["spec"]
    worker = single.container("Deployment/worker-v1").pod["metadata"]["labels"]
    server = single.container("StatefulSet/restate").pod["metadata"]["labels"]
    register = single.container("Job/register-v1").pod["metadata"]["labels"]

    [rule] = policy["ingress"]
    [peer] = rule["from"]
    assert selected(policy["podSelector"], worker)
    assert not selected(policy["podSelector"], register)
    assert selected(peer["podSelector"], server)
    assert not selected(peer["podSelector"], worker)


def test_only_the_job_may_use_the_admin_api(single: Manifests) -> None:
    policy = single["NetworkPolicy/restate"]["spec"]
    [admin] = [rule for rule in policy["ingress"] if {"port": "admin"} in rule["ports"]]
    [peer] = admin["from"]

    job = single.container("Job/register-v1").pod["metadata"]["labels"]
    worker = single.container("Deployment/worker-v1").pod["metadata"]["labels"]
    assert selected(peer["podSelector"], job)
    assert not selected(peer["podSelector"], worker)


def test_the_servers_of_the_operator_may_call_a_worker(operator: Manifests) -> None:
    [rule] = operator["NetworkPolicy/worker"]["spec"]["ingress"]
    [peer] = rule["from"]

    cluster = operator["RestateCluster/restate"]["metadata"]["name"]
    # The operator makes a namespace with the name of the cluster.
    labels = {"kubernetes.io/metadata.name": cluster}
    assert selected(peer["namespaceSelector"], labels)
    assert selected(peer["podSelector"], {"app.kubernetes.io/name": "restate"})


def test_the_autoscaler_sets_the_number_of_pods(manifests: Manifests) -> None:
    [scaler] = [each for each in manifests if each["kind"].startswith("Horizontal")]
    target = scaler["spec"]["scaleTargetRef"]
    scaled = manifests[f"{target['kind']}/{target['name']}"]

    assert scaled["apiVersion"] == target["apiVersion"]
    assert "replicas" not in scaled["spec"]
    [container] = scaled["spec"]["template"]["spec"]["containers"]
    assert "cpu" in container["resources"]["requests"]  # else there is no utilization


def test_one_pod_at_a_time_may_be_evicted(manifests: Manifests) -> None:
    [budget] = [each for each in manifests if each["kind"] == "PodDisruptionBudget"]
    [labels] = [
        each["spec"]["template"]["metadata"]["labels"]
        for each in manifests
        if each["kind"] in {"Deployment", "RestateDeployment"}
    ]

    assert budget["spec"]["maxUnavailable"] == 1
    assert selected(budget["spec"]["selector"], labels)


def test_a_pod_has_time_to_end_its_subtasks(manifests: Manifests) -> None:
    [pod] = [pod for name, pod in pods(manifests).items() if "/worker" in name]
    [container] = pod["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    [_, pause] = container["lifecycle"]["preStop"]["exec"]["command"]

    grace = float(environment["PARALLELIZEWORK_GRACE_PERIOD"])
    assert pod["terminationGracePeriodSeconds"] >= float(pause) + grace + 5


def test_a_second_version_runs_beside_the_first(
    single: Manifests, tmp_path: Path
) -> None:
    both = both_versions(tmp_path)

    versioned = {name for name in single.names() if name.endswith("-v1")}
    added = {name.replace("-v1", "-v2") for name in versioned}
    assert both.names() == single.names() | added
    job = both.container("Job/register-v2")
    assert job.arguments == ["register", "http://worker-v2:9080"]
    assert job.fields["image"] == "parallelizework:v2"


@pytest.mark.parametrize(("version", "other"), [("v1", "v2"), ("v2", "v1")])
def test_a_service_sends_calls_to_its_own_version(
    version: str, other: str, tmp_path: Path
) -> None:
    both = both_versions(tmp_path)

    selector = {"matchLabels": both[f"Service/worker-{version}"]["spec"]["selector"]}
    own = both.container(f"Deployment/worker-{version}").pod["metadata"]["labels"]
    others = both.container(f"Deployment/worker-{other}").pod["metadata"]["labels"]
    job = both.container(f"Job/register-{version}").pod["metadata"]["labels"]
    assert selected(selector, own)
    assert not selected(selector, others)
    assert not selected(selector, job)


def test_the_configuration_of_the_cluster_is_that_of_docker_compose(
    operator: Manifests,
) -> None:
    cluster = operator["RestateCluster/restate"]["spec"]
    config = tomllib.loads(cluster["config"])
    path = DEPLOY.parents[1] / "docker-compose.cluster.yml"
    compose = yaml.safe_load(path.read_text())["x-cluster"]

    assert str(config["roles"]).replace("'", '"') == compose["RESTATE_ROLES"]
    partitions = compose["RESTATE_DEFAULT_NUM_PARTITIONS"]
    assert str(config["default-num-partitions"]) == partitions
    replication = compose["RESTATE_DEFAULT_REPLICATION"]
    assert str(config["default-replication"]) == replication
    provider = compose["RESTATE_BIFROST__DEFAULT_PROVIDER"]
    assert config["bifrost"] == {"default-provider": provider}
    assert config["auto-provision"] is not cluster["cluster"]["autoProvision"]
