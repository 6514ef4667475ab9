"""The manifests for Kubernetes and compose: valid by the schemas that packages ship, and of one
piece.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "export" / "serving"
# The oldest release with all that the manifest uses, gRPC probes last.
KUBERNETES = "1.28"


@pytest.fixture(scope="module")
def objects():
    """The objects of kubernetes.yaml by kind."""
    yaml = pytest.importorskip("yaml", reason="PyYAML, of the extra manifests, is not installed")
    found = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text()))
    by_kind = {one["kind"]: one for one in found}
    assert len(by_kind) == len(found)
    return by_kind


@pytest.fixture(scope="module")
def pod(objects):
    return objects["Deployment"]["spec"]["template"]["spec"]


def test_every_object_of_kubernetes_is_valid_by_its_schema(objects):
    schemas = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate, of the extra manifests, is not there"
    )
    for one in objects.values():
        schemas.validate(one, KUBERNETES, strict=True)
    unknown = objects["Service"] | {"spce": {}}
    with pytest.raises(schemas.ValidationError):
        schemas.validate(unknown, KUBERNETES, strict=True)


def test_the_compose_file_is_valid_by_its_schema():
    pytest.importorskip(
        "check_jsonschema", reason="check-jsonschema, of the extra manifests, is not installed"
    )
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    run = subprocess.run(
        [*command, FOLDER / "compose.yaml"], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_docker_compose_takes_the_file_as_it_stands_and_says_what_it_needs(tmp_path):
    docker = shutil.which("docker")
    compose = [docker, "compose"]
    if not docker or subprocess.run([*compose, "version"], capture_output=True).returncode:
        pytest.skip("there is no docker compose")
    command = [*compose, "-f", str(FOLDER / "compose.yaml"), "config", "--quiet"]
    environment = {name: value for name, value in os.environ.items() if name != "MODELS"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert run.returncode != 0 and "the folder that holds neurovocal/1" in run.stderr
    subprocess.run(command, env=environment | {"MODELS": str(tmp_path)}, check=True, timeout=60)


def test_all_objects_are_of_the_same_pods(objects, pod):
    deployment = objects["Deployment"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selectors = [
        deployment["spec"]["selector"]["matchLabels"],
        objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        objects["Service"]["spec"]["selector"],
        pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)
    target = objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"])
    # Applied again, it would set the autoscaler's number back.
    assert "replicas" not in deployment["spec"]
    ports = {port["name"]: port["containerPort"] for port in pod["containers"][0]["ports"]}
    assert {port["targetPort"] for port in objects["Service"]["spec"]["ports"]} == set(ports)
    probes = [pod["containers"][0][f"{name}Probe"] for name in ("startup", "readiness", "liveness")]
    assert [probe["grpc"]["port"] for probe in probes] == [ports["grpc"]] * 3


def test_a_rollout_leaves_no_gap_and_evictions_leave_a_replica(objects, pod):
    rolling = objects["Deployment"]["spec"]["strategy"]["rollingUpdate"]
    assert rolling == {"maxUnavailable": 0, "maxSurge": 1}
    scaler = objects["HorizontalPodAutoscaler"]["spec"]
    assert objects["PodDisruptionBudget"]["spec"]["maxUnavailable"] < scaler["minReplicas"]
    # A share of what a container asks for: without that, nothing is scaled.
    assert "cpu" in pod["containers"][0]["resources"]["requests"]
    waits_s = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert 0 < waits_s < pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("missing", [None, "2"])
def test_versions_are_copied_in_before_the_server_starts_or_it_does_not(missing, pod, tmp_path):
    """With a stand-in for rclone, which copies folders."""
    (first,) = pod["initContainers"]
    source, target = tmp_path / "source", tmp_path / "target"
    for version in ("1", "2", "3"):
        if version != missing:
            (source / "neurovocal" / version / "variables").mkdir(parents=True)
            (source / "neurovocal" / version / "saved_model.pb").write_text(version)
    rclone = tmp_path / "rclone"
    # Of what is not in a bucket it copies nothing, and all is well.
    copying = 'if [ -d "$2" ]; then mkdir -p "$3" && cp -r "$2/." "$3"; fi'
    rclone.write_text(f'#!/bin/sh\ntest "$1" = copy && {copying}\n')
    rclone.chmod(0o755)
    given = {variable["name"]: variable["value"] for variable in first["env"]}
    own = {"SOURCE": str(source), "VERSIONS": "1 2", "TARGET": str(target)}
    assert given.keys() == own.keys()
    environment = own | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    run = subprocess.run([*first["command"], *first["args"]], env=environment, capture_output=True)
    assert (run.returncode == 0) == (missing is None)
    if missing:
        assert run.stdout == f"no export in {source}/neurovocal/{missing}\n".encode()
    else:
        assert sorted(path.name for path in (target / "neurovocal").iterdir()) == ["1", "2"]
        assert (target / "neurovocal" / "2" / "saved_model.pb").read_text() == "2"
    mounts = {mount["name"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    (written,) = first["volumeMounts"]
    assert mounts[written["name"]]["mountPath"] == written["mountPath"] == given["TARGET"]
