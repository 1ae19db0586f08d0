"""The control plane: which operations there are, and every request and response checked against botocore's model."""
from functools import partial

from local.sagemaker import endpoints, jobs, models, processing, registry, resources, training, transform
from local.sagemaker.engine import Engine, sweep
from local.sagemaker.errors import SageMakerError
from local.sagemaker.kinds import JOBS
from local.sagemaker.shapes import check_request, check_response, service


def operations_of(kind: str, *, describe=None, delete=None, list_page=None) -> dict:
    """Describe, List and Delete, which most kinds share."""
    return {f"Describe{kind}": describe or (lambda engine, request: resources.describe(engine, kind, request)),
            f"List{kind}s": list_page or (lambda engine, request: resources.list_page(engine, kind, request)),
            f"Delete{kind}": delete or (lambda engine, request: resources.delete(engine, kind, request))}


def delete_job(engine: Engine, kind: str, request: dict) -> dict:
    name = request[f"{kind}Name"]
    if resources.need(engine, kind, name)[f"{kind}Status"] in jobs.BUSY:
        raise SageMakerError("ResourceInUse", f"Job {name} is still running. Stop it first.")
    return resources.delete(engine, kind, request)


OPERATIONS = {
    "CreateTrainingJob": training.create,
    "CreateProcessingJob": processing.create,
    "CreateTransformJob": transform.create,
    "CreateModel": models.create_model,
    "CreateEndpointConfig": models.create_endpoint_config,
    "CreateEndpoint": endpoints.create,
    "UpdateEndpoint": endpoints.update,
    "UpdateEndpointWeightsAndCapacities": endpoints.update_weights_and_capacities,
    "CreateModelPackageGroup": registry.create_group,
    "CreateModelPackage": registry.create,
    "UpdateModelPackage": registry.update,
    "AddTags": resources.add_tags,
    "ListTags": resources.list_tags,
    "DeleteTags": resources.delete_tags,
    **{f"Stop{kind}": partial(lambda kind, engine, request: jobs.stop(engine, kind, request), kind) for kind in JOBS},
    **{name: operation for kind in JOBS
       for name, operation in operations_of(kind, delete=partial(
           lambda kind, engine, request: delete_job(engine, kind, request), kind)).items()},
    **operations_of("Model", delete=lambda engine, request: models.delete(engine, "Model", request)),
    **operations_of("EndpointConfig", delete=lambda engine, request: models.delete(engine, "EndpointConfig", request)),
    **operations_of("Endpoint", delete=endpoints.delete),
    **operations_of("ModelPackageGroup", describe=registry.describe_group, delete=registry.delete_group),
    **operations_of("ModelPackage", describe=registry.describe, delete=registry.delete,
                    list_page=registry.list_packages),
}
# Not every kind of resource can be deleted by every model of the API; what the installed one lacks is not offered.
OPERATIONS = {name: operation for name, operation in OPERATIONS.items() if name in service().operation_names}


def call(engine: Engine, operation: str, request: dict) -> dict:
    """Answer an operation as its botocore output shape, or raise SageMakerError."""
    if operation not in OPERATIONS:
        why = "not simulated by the local" if operation in service().operation_names else "no operation of"
        raise SageMakerError("UnknownOperationException", f"{operation} is {why} SageMaker. Simulated: "
                             f"{', '.join(sorted(OPERATIONS))}.")
    check_request(operation, request)
    response = OPERATIONS[operation](engine, request)
    check_response(operation, response)
    return response


def start(engine: Engine) -> None:
    """Make the machine clean of an earlier engine's processes and folders; before anything runs."""
    sweep(engine.work)


def resume(engine: Engine) -> None:
    """After a restore, once the gateway answers: fail the jobs that were cut off and bring the endpoints back."""
    jobs.fail_interrupted(engine, JOBS)
    endpoints.resume(engine)


def shut_down(engine: Engine) -> None:
    """End everything that runs, now."""
    for stop in list(engine.jobs.values()):
        stop.set()
    endpoints.kill_all(engine)
