"""The Kubernetes manifests are what Kubernetes and KServe take: by their schemas, and by what we promise of them."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra" / "kubernetes"
SCHEMAS = json.loads((Path(__file__).parent / "kubernetes_schemas.json").read_text())["$defs"]
KINDS = {
    "Deployment": "io.k8s.api.apps.v1.Deployment",
    "Service": "io.k8s.api.core.v1.Service",
    "PodDisruptionBudget": "io.k8s.api.policy.v1.PodDisruptionBudget",
    "NetworkPolicy": "io.k8s.api.networking.v1.NetworkPolicy",
    "InferenceService": "V1beta1InferenceService",
}


def problems(kind, document):
    """What is wrong with a document, each fault with where it is."""
    validator = Draft202012Validator({"$ref": f"#/$defs/{KINDS[kind]}", "$defs": SCHEMAS})
    return sorted(f"{error.json_path}: {error.message}" for error in validator.iter_errors(document))


def documents():
    return [each for file in sorted(FOLDER.glob("*.yaml")) for each in yaml.safe_load_all(file.read_text())]


def of_kind(kind):
    (found,) = [each for each in documents() if each["kind"] == kind]
    return found


def pods():
    return [of_kind("Deployment")["spec"]["template"]["spec"], of_kind("InferenceService")["spec"]["predictor"]]


@pytest.mark.parametrize("kind", KINDS)
def test_each_manifest_keeps_its_schema(kind):
    assert problems(kind, of_kind(kind)) == []


def test_no_manifest_is_left_out():
    assert {each["kind"] for each in documents()} == set(KINDS)


def test_the_schemas_would_find_a_mistake():
    deployment = of_kind("Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["readinesProbe"] = container.pop("readinessProbe")
    container["ports"][0]["containerPort"] = "8080"
    del deployment["spec"]["selector"]
    container_at = "$.spec.template.spec.containers[0]"
    assert problems("Deployment", deployment) == [
        f"{container_at}.ports[0].containerPort: '8080' is not of type 'integer'",
        f"{container_at}: Additional properties are not allowed ('readinesProbe' was unexpected)",
        "$.spec: 'selector' is a required property",
    ]


@pytest.mark.parametrize("pod", pods(), ids=["Deployment", "InferenceService"])
def test_a_pod_runs_as_nobody_and_can_change_nothing(pod):
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "@sha256:" in container["image"] and container["args"] == ["serve"]
    assert "ARTEFACT_SHA256" in [variable["name"] for variable in container["env"]]
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"


def test_a_deployment_has_the_time_to_drain_and_its_service_finds_it():
    from model_code.serve import DRAIN_SECONDS

    deployment, service = of_kind("Deployment"), of_kind("Service")
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["spec"]["terminationGracePeriodSeconds"] > DRAIN_SECONDS + pause
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert service["spec"]["ports"][0]["targetPort"] in [port["name"] for port in container["ports"]]
    labels = pod["metadata"]["labels"]
    (spread,) = pod["spec"]["topologySpreadConstraints"]
    assert deployment["spec"]["selector"]["matchLabels"] == spread["labelSelector"]["matchLabels"] == labels


def test_pods_are_disturbed_one_at_a_time_and_are_asked_at_their_port_only():
    pod = of_kind("Deployment")["spec"]["template"]
    budget, policy = of_kind("PodDisruptionBudget")["spec"], of_kind("NetworkPolicy")["spec"]
    assert budget["selector"]["matchLabels"] == policy["podSelector"]["matchLabels"] == pod["metadata"]["labels"]
    assert budget["maxUnavailable"] < of_kind("Deployment")["spec"]["replicas"]
    (allowed,) = policy["ingress"]
    assert [port["port"] for port in allowed["ports"]] == [
        port["name"] for port in pod["spec"]["containers"][0]["ports"]
    ]
    assert policy["policyTypes"] == ["Ingress", "Egress"] and "egress" not in policy  # it asks nobody
