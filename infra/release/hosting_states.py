"""States that create a release's endpoint, and states that remove it again: part of the Release flow.

They use the flow's variables: $endpoint is the name of the endpoint, its model and its configuration; $made_here says
whether this execution created any of them.
"""

from typing import Any

from infra.parts.flow import call, caught, choice, jsonata
from infra.release.endpoints import VARIANT, Endpoints

BUSY = "['Creating', 'Updating', 'SystemUpdating', 'RollingBack']"  # SageMaker refuses to delete such an endpoint
UNDO_EVERY_S, MOST_UNDO_LOOKS = 60, 120  # after two hours the rest is left to Reap
MOST_LOOKS = 70  # at a new endpoint: every second at first, then every 30 s, about half an hour in all
UNDO = (caught("Undo"),)


def made(endpoints: Endpoints, *, next: str) -> dict[str, Any]:
    """Return the states that bring an endpoint into service, unless there is one."""
    served = "FollowTheRequests" if endpoints.always_on else next
    return {
        "FindEndpoint": _find_endpoint(Next="IsThereAlready"),
        "IsThereAlready": choice(("$status != 'none'", "IsInService"), otherwise="CreateModel"),
        **creation(endpoints),
        **patience(next=served),
        **(scaling(endpoints, next=next) if endpoints.always_on else {}),
    }


def _find_endpoint(**fields: Any) -> dict[str, Any]:
    """Look for an endpoint, left by an interrupted attempt or kept for a rollback."""
    status = "$states.result.Endpoints[EndpointName = $endpoint].EndpointStatus"
    return call(
        "aws-sdk:sagemaker:listEndpoints",
        {"NameContains": jsonata("$endpoint")},
        Assign={"status": jsonata(f"$exists({status}) ? {status} : 'none'")},
        **fields,
    )


def creation(endpoints: Endpoints) -> dict[str, Any]:
    """Create model and endpoint config; an interrupted attempt may have left them, otherwise CreateEndpoint
    reports it.
    """
    name = jsonata("$endpoint")
    model = endpoints.model(
        name=name, image=jsonata("$image"), artefact=jsonata("$artefact"), artefact_sha256=jsonata("$artefact_sha256")
    )
    config = endpoints.endpoint_config(name=name)
    endpoint = {"EndpointName": name, "EndpointConfigName": name, "Tags": model["Tags"]}
    made_here = {"made_here": True}

    def perhaps_there(next: str) -> tuple[dict[str, Any], ...]:
        assign = {**made_here, "why": jsonata("$why & $states.errorOutput.Cause & ' '")}
        there = {"ErrorEquals": ["SageMaker.AmazonSageMakerException"], "Assign": assign, "Next": next}
        return there, *UNDO

    error = {"Error": jsonata("$states.errorOutput.Error"), "Cause": jsonata("$why & $states.errorOutput.Cause")}
    undo = ({"ErrorEquals": ["States.ALL"], "Assign": {"error": error}, "Next": "Undo"},)
    return {
        "CreateModel": call(
            "sagemaker:createModel",
            model,
            Assign=made_here,
            Next="CreateEndpointConfig",
            catch=perhaps_there("CreateEndpointConfig"),
        ),
        "CreateEndpointConfig": call(
            "sagemaker:createEndpointConfig", config, Next="CreateEndpoint", catch=perhaps_there("CreateEndpoint")
        ),
        "CreateEndpoint": call("sagemaker:createEndpoint", endpoint, Next="WaitForEndpoint", catch=undo),
    }


def patience(*, next: str) -> dict[str, Any]:
    """Wait with growing pauses until the endpoint is up, has failed or takes too long."""
    failure = {"Error": "EndpointFailed", "Cause": jsonata("$endpoint & ' is ' & $status & '. ' & $why")}
    return {
        "WaitForEndpoint": {
            "Type": "Wait",
            "Seconds": jsonata("$min([1 + $looks, 30])"),
            "Assign": {"looks": jsonata("$looks + 1")},
            "Next": "DescribeEndpoint",
        },
        "DescribeEndpoint": describe_endpoint(Next="IsInService"),
        "IsInService": choice(
            ("$status = 'InService'", next),
            (f"$status != 'Failed' and $looks < {MOST_LOOKS}", "WaitForEndpoint"),
            otherwise="Undo",
            Assign={"error": failure},
        ),
    }


def describe_endpoint(**fields: Any) -> dict[str, Any]:
    assign = {
        "status": jsonata("$states.result.EndpointStatus"),
        "why": jsonata("$exists($states.result.FailureReason) ? $states.result.FailureReason : ''"),
    }
    name = {"EndpointName": jsonata("$endpoint")}
    return call("aws-sdk:sagemaker:describeEndpoint", name, Assign=assign, catch=UNDO, **fields)


def scaling(endpoints: Endpoints, *, next: str) -> dict[str, Any]:
    target, policy = endpoints.scaling(endpoint=jsonata(f"'endpoint/' & $endpoint & '/variant/{VARIANT}'"))
    return {
        "FollowTheRequests": call(
            "aws-sdk:applicationautoscaling:registerScalableTarget", target, Next="SetThePace", catch=UNDO
        ),
        "SetThePace": call("aws-sdk:applicationautoscaling:putScalingPolicy", policy, Next=next, catch=UNDO),
    }


def removed(*, next: str) -> dict[str, Any]:
    """Remove only what this execution created.

    Missing resources are ignored. An endpoint that is still being created is waited for; if that takes too long, it is
    left to Reap with its configuration and model.
    """

    def delete(what: str, following: str) -> dict[str, Any]:
        name = {f"{what}Name": jsonata("$endpoint")}
        gone = ({"ErrorEquals": ["States.ALL"], "Next": following},)
        return {f"Delete{what}": call(f"aws-sdk:sagemaker:delete{what}", name, catch=gone, Next=following)}

    unknown = ({"ErrorEquals": ["States.ALL"], "Next": "DeleteEndpoint"},)
    return {
        "FindWhatIsLeft": _find_endpoint(catch=unknown, Next="MayItGo"),
        "MayItGo": choice(
            ("$status = 'none'", "DeleteEndpointConfig"),
            (f"$status in {BUSY} and $undo_looks < {MOST_UNDO_LOOKS}", "WaitToUndo"),
            (f"$status in {BUSY}", next),
            otherwise="DeleteEndpoint",
        ),
        "WaitToUndo": {
            "Type": "Wait",
            "Seconds": UNDO_EVERY_S,
            "Assign": {"undo_looks": jsonata("$undo_looks + 1")},
            "Next": "FindWhatIsLeft",
        },
        **delete("Endpoint", "DeleteEndpointConfig"),
        **delete("EndpointConfig", "DeleteModel"),
        **delete("Model", next),
    }
