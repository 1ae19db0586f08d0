"""Models and endpoint configurations: what may be hosted and how, checked when it is created, not when it is used."""

from local.sagemaker import resources
from local.sagemaker.engine import Engine
from local.sagemaker.errors import invalid, not_simulated, refuse

SERVERLESS_MEMORY_MB = tuple(range(1024, 6145, 1024))
SERVERLESS_CONCURRENCY = range(1, 201)

NOT_SIMULATED_OF_A_CONTAINER = (
    "MultiModelConfig",
    "ImageConfig",
    "AdditionalModelDataSources",
    "InferenceSpecificationName",
    "ContainerMetricsConfig",
    *(
        f"ModelDataSource.S3DataSource.{member}"
        for member in ("ModelAccessConfig", "HubAccessConfig", "ManifestS3Uri", "ETag", "ManifestEtag")
    ),
)
NOT_SIMULATED_OF_A_CONFIG = (
    "DataCaptureConfig",
    "AsyncInferenceConfig",
    "ExplainerConfig",
    "ShadowProductionVariants",
    "MetricsConfig",
    "EnableNetworkIsolation",
)
NOT_SIMULATED_OF_A_VARIANT = (
    "CoreDumpConfig",
    "InferenceAmiVersion",
    "CapacityReservationConfig",
    "InstancePools",
    "ManagedInstanceScaling",
    "AcceleratorType",
    "EnableSSMAccess",
)


def create_model(engine: Engine, request: dict) -> dict:
    refuse(request, ("InferenceExecutionConfig",), "CreateModel")
    if len(request.get("Containers", [])) > 1:
        raise not_simulated("A model of several containers", "Give one PrimaryContainer.")
    if bool(request.get("PrimaryContainer")) == bool(request.get("Containers")):
        raise invalid("Give either PrimaryContainer or Containers.")
    if "ExecutionRoleArn" not in request:
        raise invalid("ExecutionRoleArn is required.")
    source = image_and_data(engine, container(request))
    _check_manifest(engine, source["Image"])
    engine.image(source["Image"])
    engine.check_role(request["ExecutionRoleArn"])
    record = resources.create(engine, "Model", request)
    resources.announce(engine, "Model", record)
    return {"ModelArn": record["ModelArn"]}


def _check_manifest(engine: Engine, image: str) -> None:
    """Accept images of Docker's media types only; BuildKit and podman make OCI's unless told otherwise."""
    kind = engine.cloud.manifest(image)
    if kind and ".oci." in kind:
        raise invalid(f"Unsupported manifest media type {kind} for image {image}. Push it with Docker's media types.")


def container(model: dict) -> dict:
    return model.get("PrimaryContainer") or model["Containers"][0]


def image_and_data(engine: Engine, definition: dict) -> dict:
    """Return a container definition with its own image and data, or those of the model package that it names."""
    refuse(definition, NOT_SIMULATED_OF_A_CONTAINER, "a container definition")
    if definition.get("Mode", "SingleModel") != "SingleModel":
        raise not_simulated(f"Mode {definition['Mode']}", "Use SingleModel.")
    if "ModelPackageName" not in definition:
        if "Image" not in definition:
            raise invalid("A container needs Image or ModelPackageName.")
        return definition
    package = engine.store.get("ModelPackage", definition["ModelPackageName"])
    if package is None:
        raise invalid(f"Model package {definition['ModelPackageName']} does not exist. Give its ARN.")
    if package.get("ModelApprovalStatus") != "Approved":
        raise invalid(
            f"Model package {definition['ModelPackageName']} must be Approved to be deployed, "
            f"found {package.get('ModelApprovalStatus')}."
        )
    inference = package["InferenceSpecification"]["Containers"][0]
    return {
        **inference,
        **definition,
        "Environment": {**inference.get("Environment", {}), **definition.get("Environment", {})},
    }


def create_endpoint_config(engine: Engine, request: dict) -> dict:
    refuse(request, NOT_SIMULATED_OF_A_CONFIG, "CreateEndpointConfig")
    variants = request["ProductionVariants"]
    if len({variant["VariantName"] for variant in variants}) != len(variants):
        raise invalid("The variant names of an endpoint configuration must differ.")
    for variant in variants:
        _check_variant(engine, variant, alone=len(variants) == 1)
    record = resources.create(engine, "EndpointConfig", request)
    resources.announce(engine, "EndpointConfig", record)
    return {"EndpointConfigArn": record["EndpointConfigArn"]}


def _check_variant(engine: Engine, variant: dict, *, alone: bool) -> None:
    refuse(variant, NOT_SIMULATED_OF_A_VARIANT, f"variant {variant['VariantName']}")
    if "ModelName" not in variant:
        raise not_simulated(f"Variant {variant['VariantName']} without ModelName", "Name a model.")
    resources.need(engine, "Model", variant["ModelName"])
    if "ServerlessConfig" in variant:
        _check_serverless(variant, alone=alone)
    elif "InstanceType" not in variant or "InitialInstanceCount" not in variant:
        raise invalid(
            f"Variant {variant['VariantName']} needs InstanceType and InitialInstanceCount, or ServerlessConfig."
        )


def _check_serverless(variant: dict, *, alone: bool) -> None:
    serverless = variant["ServerlessConfig"]
    if not alone:
        raise invalid("Serverless endpoints accept exactly one production variant.")
    if "InstanceType" in variant or "InitialInstanceCount" in variant:
        raise invalid("A variant with ServerlessConfig takes no InstanceType and no InitialInstanceCount.")
    if serverless["MemorySizeInMB"] not in SERVERLESS_MEMORY_MB:
        raise invalid(f"MemorySizeInMB {serverless['MemorySizeInMB']} is not one of {list(SERVERLESS_MEMORY_MB)}.")
    if serverless["MaxConcurrency"] not in SERVERLESS_CONCURRENCY:
        raise invalid(f"MaxConcurrency {serverless['MaxConcurrency']} must be from 1 to 200.")
    if serverless.get("ProvisionedConcurrency", 0) > serverless["MaxConcurrency"]:
        raise invalid("ProvisionedConcurrency must not be more than MaxConcurrency.")


def delete(engine: Engine, kind: str, request: dict) -> dict:
    record = resources.need(engine, kind, request[f"{kind}Name"])
    resources.delete(engine, kind, request)
    resources.announce(engine, kind, record)
    return {}
