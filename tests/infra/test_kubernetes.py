"""The Kubernetes manifests are what Kubernetes and KServe take: by their schemas, and by what we promise of them."""

import json
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra" / "kubernetes"
SCHEMAS = json.loads((Path(__file__).parent / "kubernetes_schemas.json").read_text())["$defs"]
KINDS = {
    "Deployment": "io.k8s.api.apps.v1.Deployment",
    "Service": "io.k8s.api.core.v1.Service",
    "InferenceService": "V1beta1InferenceService",
}
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def problems(schema, value, at=""):
    """What is wrong with a value: as much of JSON Schema as Kubernetes' own schemas use."""
    if schema is True:
        return []
    if "$ref" in schema:
        return problems(SCHEMAS[schema["$ref"].rpartition("/")[2]], value, at)
    if "oneOf" in schema:
        return min((problems(one, value, at) for one in schema["oneOf"]), key=len)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(is_of(kind, value) for kind in kinds):
        return [f"{at} is {value!r}, not {' or '.join(kinds)}"]
    found = [f"{at} is {value!r}"] if "enum" in schema and value not in schema["enum"] else []
    if isinstance(value, dict):
        found += [f"{at}.{name} is missing" for name in schema.get("required", []) if name not in value]
        for name, part in value.items():
            of = schema.get("properties", {}).get(name, schema.get("additionalProperties", True))
            found += [f"{at}.{name} is no key here"] if of is False else problems(of, part, f"{at}.{name}")
    if isinstance(value, list):
        for place, part in enumerate(value):
            found += problems(schema.get("items", True), part, f"{at}[{place}]")
    return found


def is_of(kind, value):
    return isinstance(value, TYPES[kind]) and (isinstance(value, bool) <= (kind == "boolean"))


def documents():
    return [each for file in sorted(FOLDER.glob("*.yaml")) for each in yaml.safe_load_all(file.read_text())]


def of_kind(kind):
    (found,) = [each for each in documents() if each["kind"] == kind]
    return found


def pods():
    return [of_kind("Deployment")["spec"]["template"]["spec"], of_kind("InferenceService")["spec"]["predictor"]]


@pytest.mark.parametrize("kind", KINDS)
def test_each_manifest_keeps_its_schema(kind):
    assert problems({"$ref": KINDS[kind]}, of_kind(kind)) == []


def test_the_schemas_would_find_a_mistake():
    deployment = of_kind("Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["readinesProbe"] = container.pop("readinessProbe")
    container["ports"][0]["containerPort"] = "8080"
    del deployment["spec"]["selector"]
    assert problems({"$ref": KINDS["Deployment"]}, deployment) == [
        ".spec.selector is missing",
        ".spec.template.spec.containers[0].ports[0].containerPort is '8080', not integer",
        ".spec.template.spec.containers[0].readinesProbe is no key here",
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
    assert deployment["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
