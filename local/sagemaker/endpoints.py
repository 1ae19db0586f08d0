"""Endpoints: create, update without an outage, delete, scale, and bring back after a restart."""

import logging
import threading
import time
from dataclasses import dataclass, field

from local.sagemaker import quotas, resources
from local.sagemaker.engine import Engine
from local.sagemaker.errors import JobFailed, SageMakerError, invalid, refuse
from local.sagemaker.servers import HEALTH_TIMEOUT_S, Server, kill_server, start_server, stop_server
from local.sagemaker.shapes import in_milliseconds, pick, service

log = logging.getLogger("sagemaker")
KIND = "Endpoint"
# Events spell the status as the old service did.
EVENT_STATUS = {
    "Creating": "CREATING",
    "Updating": "UPDATING",
    "InService": "IN_SERVICE",
    "Failed": "FAILED",
    "Deleting": "DELETING",
    "RollingBack": "ROLLING_BACK",
    "SystemUpdating": "SYSTEM_UPDATING",
}


@dataclass
class Variant:
    """A production variant and its servers, one per instance; a serverless one has as many slots as it may run
    at once.
    """

    name: str
    model: dict
    servers: list[Server]
    slots: threading.BoundedSemaphore | None = None
    turn: int = 0
    last_used: float = 0
    healing: threading.Lock = field(default_factory=threading.Lock)

    def next_server(self) -> Server | None:
        alive = [server for server in self.servers if server.alive()]
        self.turn += 1
        return alive[self.turn % len(alive)] if alive else None


def create(engine: Engine, request: dict) -> dict:
    refuse(request, ("DeploymentConfig",), "CreateEndpoint")
    config = resources.need(engine, "EndpointConfig", request["EndpointConfigName"])
    quotas.check_concurrency(engine, config, besides=request["EndpointName"])
    record = resources.create(engine, KIND, request, EndpointStatus="Creating", LastModifiedTime=time.time())
    announce(engine, record)
    _roll_in_background(engine, record["EndpointName"], request["EndpointConfigName"])
    return {"EndpointArn": record["EndpointArn"]}


def update(engine: Engine, request: dict) -> dict:
    refuse(
        request,
        ("DeploymentConfig", "RetainAllVariantProperties", "ExcludeRetainedVariantProperties"),
        "UpdateEndpoint",
    )
    record = _need_settled(engine, request["EndpointName"], "update")
    config = resources.need(engine, "EndpointConfig", request["EndpointConfigName"])
    quotas.check_concurrency(engine, config, besides=request["EndpointName"])
    announce(engine, _set_status(engine, record["EndpointName"], "Updating"))
    _roll_in_background(engine, record["EndpointName"], request["EndpointConfigName"])
    return {"EndpointArn": record["EndpointArn"]}


def _need_settled(engine: Engine, name: str, action: str) -> dict:
    record = resources.need(engine, KIND, name)
    if record["EndpointStatus"] not in ("InService", "Failed"):
        raise invalid(f'Cannot {action} in-progress endpoint "{record["EndpointArn"]}".')
    return record


def _set_status(engine: Engine, name: str, status: str, **changes) -> dict:
    return engine.store.update(KIND, name, EndpointStatus=status, LastModifiedTime=time.time(), **changes)


def _roll_in_background(engine: Engine, name: str, config_name: str) -> None:
    threading.Thread(target=roll, args=(engine, name, config_name), daemon=True, name=f"sagemaker-roll-{name}").start()


def roll(engine: Engine, name: str, config_name: str) -> None:
    """Start the new fleet beside the old one, switch, stop the old one; if the new one fails, the old one keeps
    answering.
    """
    new: dict[str, Variant] = {}
    try:
        config = resources.need(engine, "EndpointConfig", config_name)
        for variant in config["ProductionVariants"]:
            new[variant["VariantName"]] = start_variant(engine, name, variant)
        with engine.lock:
            if deleted(engine, name):
                raise JobFailed("The endpoint was deleted.")
            old, engine.fleets[name] = engine.fleets.get(name, {}), new
            record = _set_status(
                engine,
                name,
                "InService",
                EndpointConfigName=config_name,
                FailureReason=None,
                ProductionVariants=[summary(variant) for variant in config["ProductionVariants"]],
            )
        announce(engine, record)
        _stop_fleet(engine, old)
    except Exception as error:  # an endpoint must not stay Creating forever
        if not isinstance(error, JobFailed | SageMakerError):
            log.exception("endpoint %s", name)
        _stop_fleet(engine, new)
        keeps = "InService" if engine.fleets.get(name) else "Failed"
        if not deleted(engine, name):
            announce(engine, _set_status(engine, name, keeps, FailureReason=str(error)[:1024]))


def deleted(engine: Engine, name: str) -> bool:
    record = engine.store.get(KIND, name)
    return record is None or record["EndpointStatus"] == "Deleting"


def start_variant(engine: Engine, name: str, variant: dict, *, instances: int | None = None) -> Variant:
    model = resources.need(engine, "Model", variant["ModelName"])
    serverless = variant.get("ServerlessConfig")
    started = Variant(
        variant["VariantName"],
        model,
        [],
        threading.BoundedSemaphore(serverless["MaxConcurrency"]) if serverless else None,
    )
    try:
        for _ in range(1 if serverless else instances or variant["InitialInstanceCount"]):
            started.servers.append(serve(engine, name, started, variant))
    except SageMakerError:
        _stop_fleet(engine, {started.name: started})
        raise
    except JobFailed as failure:
        _stop_fleet(engine, {started.name: started})
        raise JobFailed(
            f"The primary container for production variant {started.name} did not pass the ping health check. {failure}"
        ) from failure
    return started


def serve(engine: Engine, name: str, variant: Variant, config: dict) -> Server:
    instance = f"i-{time.time_ns():x}"
    return start_server(
        engine,
        variant.model,
        label=f"{name}/{variant.name}-{instance}",
        group=f"/aws/sagemaker/Endpoints/{name}",
        stream=f"{variant.name}/{instance}",
        cancelled=lambda: deleted(engine, name),
        health_timeout_s=config.get("ContainerStartupHealthCheckTimeoutInSeconds", HEALTH_TIMEOUT_S),
    )


def heal(engine: Engine, name: str, variant: Variant) -> None:
    """Replace servers that have died, as SageMaker replaces a container that fails its health checks."""
    if not variant.healing.acquire(blocking=False):
        return
    try:
        config = resources.need(engine, "EndpointConfig", resources.need(engine, KIND, name)["EndpointConfigName"])
        settings = next(item for item in config["ProductionVariants"] if item["VariantName"] == variant.name)
        for index, server in enumerate(variant.servers):
            if not server.alive():
                log.warning("endpoint %s variant %s: the server ended, starting another", name, variant.name)
                stop_server(engine, server)
                variant.servers[index] = serve(engine, name, variant, settings)
    except (JobFailed, SageMakerError) as error:
        log.warning("endpoint %s variant %s: %s", name, variant.name, error)
    finally:
        variant.healing.release()


def summary(variant: dict) -> dict:
    weight = variant.get("InitialVariantWeight", 1.0)
    shown = {"VariantName": variant["VariantName"], "CurrentWeight": weight, "DesiredWeight": weight}
    if "ServerlessConfig" in variant:
        serverless = pick("ProductionVariantServerlessConfig", variant["ServerlessConfig"])
        return {**shown, "CurrentServerlessConfig": serverless, "DesiredServerlessConfig": serverless}
    count = variant["InitialInstanceCount"]
    return {**shown, "CurrentInstanceCount": count, "DesiredInstanceCount": count}


def update_weights_and_capacities(engine: Engine, request: dict) -> dict:
    record = _need_settled(engine, request["EndpointName"], "update")
    wanted = {item["VariantName"]: item for item in request["DesiredWeightsAndCapacities"]}
    unknown = set(wanted) - {shown["VariantName"] for shown in record.get("ProductionVariants", [])}
    if unknown:
        raise invalid(f"Variant {', '.join(sorted(unknown))} not found on endpoint {record['EndpointArn']}.")
    for item in wanted.values():
        refuse(item, ("ServerlessUpdateConfig",), "UpdateEndpointWeightsAndCapacities")
    announce(engine, _set_status(engine, record["EndpointName"], "Updating"))
    threading.Thread(target=_change_capacity, args=(engine, record, wanted), daemon=True).start()
    return {"EndpointArn": record["EndpointArn"]}


def _change_capacity(engine: Engine, record: dict, wanted: dict[str, dict]) -> None:
    name, reason = record["EndpointName"], None
    shown = [changed(item, wanted.get(item["VariantName"], {})) for item in record["ProductionVariants"]]
    try:
        config = resources.need(engine, "EndpointConfig", record["EndpointConfigName"])
        for item, settings in zip(shown, config["ProductionVariants"], strict=True):
            if "DesiredInstanceCount" in item:
                scale(engine, name, settings, item["DesiredInstanceCount"])
    except (JobFailed, SageMakerError) as error:
        reason, shown = str(error)[:1024], record["ProductionVariants"]
    announce(engine, _set_status(engine, name, "InService", ProductionVariants=shown, FailureReason=reason))


def changed(shown: dict, wanted: dict) -> dict:
    result = dict(shown)
    if "DesiredWeight" in wanted:
        result |= {"CurrentWeight": wanted["DesiredWeight"], "DesiredWeight": wanted["DesiredWeight"]}
    if "DesiredInstanceCount" in wanted:
        count = wanted["DesiredInstanceCount"]
        result |= {"CurrentInstanceCount": count, "DesiredInstanceCount": count}
    return result


def scale(engine: Engine, name: str, settings: dict, count: int) -> None:
    variant = engine.fleets[name][settings["VariantName"]]
    while len(variant.servers) < count:
        variant.servers.append(serve(engine, name, variant, settings))
    while len(variant.servers) > count:
        stop_server(engine, variant.servers.pop())


def delete(engine: Engine, request: dict) -> dict:
    record = resources.need(engine, KIND, request["EndpointName"])
    if record["EndpointStatus"] == "Deleting":
        return {}
    _need_settled(engine, record["EndpointName"], "update")  # SageMaker's own word for it, of a deletion too
    announce(engine, _set_status(engine, record["EndpointName"], "Deleting"))
    threading.Thread(target=_finish_deletion, args=(engine, record["EndpointName"]), daemon=True).start()
    return {}


def _finish_deletion(engine: Engine, name: str) -> None:
    with engine.lock:
        fleet = engine.fleets.pop(name, {})
    _stop_fleet(engine, fleet)
    if engine.store.get(KIND, name):
        resources.delete(engine, KIND, {"EndpointName": name})


def _stop_fleet(engine: Engine, fleet: dict[str, Variant]) -> None:
    for variant in fleet.values():
        for server in variant.servers:
            stop_server(engine, server)


def kill_all(engine: Engine) -> None:
    for fleet in engine.fleets.values():
        for variant in fleet.values():
            for server in variant.servers:
                kill_server(server)
    engine.fleets.clear()


def mark_down(engine: Engine) -> None:
    """Mark endpoints as not in service after a restart, as their servers are not running yet."""
    for record in engine.store.all(KIND):
        if record["EndpointStatus"] == "InService":
            _set_status(engine, record["EndpointName"], "Updating")


def resume(engine: Engine) -> None:
    """Start the servers of every endpoint that needs some, and finish deletions."""
    for record in engine.store.all(KIND):
        if record["EndpointStatus"] == "Deleting":
            _finish_deletion(engine, record["EndpointName"])
        elif record["EndpointStatus"] != "Failed":
            _roll_in_background(engine, record["EndpointName"], record["EndpointConfigName"])


def announce(engine: Engine, record: dict) -> None:
    if record:
        shape = service().operation_model("DescribeEndpoint").output_shape
        detail = in_milliseconds(pick("DescribeEndpoint", record), shape)
        engine.cloud.emit(
            "SageMaker Endpoint State Change",
            {
                **detail,
                "EndpointStatus": EVENT_STATUS[record["EndpointStatus"]],
                "Tags": engine.store.tags(record["EndpointArn"]),
            },
            [record["EndpointArn"]],
        )
