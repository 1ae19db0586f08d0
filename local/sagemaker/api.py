"""The control plane: its operations, with every request and response checked against botocore's model."""

from collections.abc import Callable

from local.sagemaker import endpoints, jobs, models, processing, registry, resources, training, transform
from local.sagemaker.engine import Engine, sweep
from local.sagemaker.errors import SageMakerError
from local.sagemaker.kinds import JOBS
from local.sagemaker.shapes import check_request, check_response, service


def of(kind: str, operation: Callable) -> Callable[[Engine, dict], dict]:
    """Bind an operation shared by all kinds to one kind."""
    return lambda engine, request: operation(engine, kind, request)


def _for_each(kinds: tuple[str, ...], **operations: Callable) -> dict[str, Callable]:
    return {
        verb + kind + ("s" if verb == "List" else ""): of(kind, operation)
        for kind in kinds
        for verb, operation in operations.items()
    }


OPERATIONS: dict[str, Callable[[Engine, dict], dict]] = {
    **_for_each(JOBS, Describe=resources.describe, List=resources.list_page, Stop=jobs.stop, Delete=jobs.delete),
    **_for_each(
        ("Model", "EndpointConfig"), Describe=resources.describe, List=resources.list_page, Delete=models.delete
    ),
    "CreateTrainingJob": training.create,
    "CreateProcessingJob": processing.create,
    "CreateTransformJob": transform.create,
    "CreateModel": models.create_model,
    "CreateEndpointConfig": models.create_endpoint_config,
    "CreateEndpoint": endpoints.create,
    "UpdateEndpoint": endpoints.update,
    "UpdateEndpointWeightsAndCapacities": endpoints.update_weights_and_capacities,
    "DescribeEndpoint": of("Endpoint", resources.describe),
    "ListEndpoints": of("Endpoint", resources.list_page),
    "DeleteEndpoint": endpoints.delete,
    "CreateModelPackageGroup": registry.create_group,
    "DescribeModelPackageGroup": registry.describe_group,
    "ListModelPackageGroups": of("ModelPackageGroup", resources.list_page),
    "DeleteModelPackageGroup": registry.delete_group,
    "CreateModelPackage": registry.create,
    "DescribeModelPackage": registry.describe,
    "UpdateModelPackage": registry.update,
    "ListModelPackages": registry.list_packages,
    "DeleteModelPackage": registry.delete,
    "ListNotebookInstances": lambda engine, request: {"NotebookInstances": []},  # none can be made here
    "AddTags": resources.add_tags,
    "ListTags": resources.list_tags,
    "DeleteTags": resources.delete_tags,
}
# The API has no DeleteTransformJob; operations that its model lacks are not offered.
OPERATIONS = {name: operation for name, operation in OPERATIONS.items() if name in service().operation_names}


def call(engine: Engine, operation: str, request: dict) -> dict:
    """Answer an operation in its botocore output shape. Raises SageMakerError."""
    if operation not in OPERATIONS:
        why = "not simulated by the local" if operation in service().operation_names else "no operation of"
        raise SageMakerError(
            "UnknownOperationException", f"{operation} is {why} SageMaker. Simulated: {', '.join(sorted(OPERATIONS))}."
        )
    check_request(operation, request)
    response = OPERATIONS[operation](engine, request)
    check_response(operation, response)
    return response


def start(engine: Engine) -> None:
    """Remove an earlier engine's processes and folders, before anything runs."""
    sweep(engine.work)


def restore(engine: Engine, snapshot: dict) -> None:
    """Restore the result of `engine.store.snapshot()`, before the gateway answers."""
    engine.store.restore(snapshot)
    endpoints.mark_down(engine)


def resume(engine: Engine) -> None:
    """After a restore, once the gateway answers: fail interrupted jobs and bring the endpoints back."""
    jobs.fail_interrupted(engine, JOBS)
    endpoints.resume(engine)


def shut_down(engine: Engine) -> None:
    """End everything that runs, immediately."""
    for stop in list(engine.jobs.values()):
        stop.set()
    endpoints.kill_all(engine)
