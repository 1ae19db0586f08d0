"""The distributed Map in JSONata: readers, selector, batches, tolerated failures and the result writer.

The stock one reads JSONPath only and ignores ItemBatcher and ResultWriter.
"""

import contextvars
import copy
import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ministack import app
from ministack.core.responses import now_iso
from ministack.services import stepfunctions as sfn

SFN = "ministack.services.stepfunctions"
HOOKS = tuple(
    f"{SFN}:{name}"
    for name in (
        "_run_distributed_map",
        "_run_map_items",
        "_read_map_items",
        "_run_sub_machine",
        "_apply_jsonata_template",
        "_apply_jsonata_output",
        "_apply_state_assign",
        "_state_query_language",
        "_next_or_end",
        "_map_runs",
        "_executions",
    )
)

INPUT_TYPES = ("CSV", "JSON", "JSONL")
MOST_AT_ONCE = 8  # fit for a laptop: each child is a thread here, and often a process of its own
COUNTS = (
    "pending",
    "running",
    "succeeded",
    "failed",
    "timedOut",
    "aborted",
    "total",
    "resultsWritten",
    "failuresNotRedrivable",
    "pendingRedrive",
)


def register(require: Callable) -> None:
    run_items = sfn._run_map_items

    def run_map(state, raw_input, execution, context):
        processor = state.get("ItemProcessor") or {}
        is_distributed = processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED"
        if not is_distributed or sfn._state_query_language(state, context) != "JSONata":
            return run_items(state, raw_input, execution, context)
        return DistributedMap(state, raw_input, execution, context, require).run()

    sfn._run_map_items = run_map


class DistributedMap:
    """One run of a distributed Map state; each item, or batch of items, is a child execution."""

    def __init__(self, state: dict, raw_input, execution: dict, context: dict, require: Callable):
        self.sfn, self.state, self.raw_input = sfn, state, raw_input
        self.execution, self.context, self.require = execution, context, require
        machine = execution["stateMachineArn"]
        self.id = str(uuid.uuid4())
        self.label = state.get("Label") or context["State"]["Name"]
        self.arn = f"{machine.replace(':stateMachine:', ':mapRun:')}/{self.label}:{self.id}"
        self.machine = f"{machine}/{self.label}"

    def run(self):
        sfn = self.sfn
        self.require("states", "states:StartExecution", self.execution["stateMachineArn"], "States.Runtime")
        inputs = self.batches(self.selected(self.items()))
        record = self.begin(len(inputs))
        children = self.run_children(inputs, record)
        self.judge([child for child in children if child["status"] != "SUCCEEDED"], len(children), record)
        writer = self.state.get("ResultWriter")
        result = (
            self.write(children, writer)
            if writer
            else [json.loads(child["output"]) for child in children if child["status"] == "SUCCEEDED"]
        )
        output = sfn._apply_jsonata_output(self.state, self.raw_input, self.context, result=result, default=result)
        sfn._apply_state_assign(self.state, self.raw_input, self.context, result=result)
        return output, sfn._next_or_end(self.state)

    def evaluated(self, field: str, default=None):
        value = self.state.get(field, default)
        return self.sfn._apply_jsonata_template(value, self.raw_input, self.context)

    def items(self) -> list:
        if "ItemReader" not in self.state:
            items = self.evaluated("Items") if "Items" in self.state else self.raw_input
            if not isinstance(items, list):
                raise self.failure(
                    "States.QueryEvaluationError", f"Items must be an array, but was {json.dumps(items)[:200]}"
                )
            return items
        reader = self.evaluated("ItemReader")
        kind = reader.get("ReaderConfig", {}).get("InputType", "JSON")
        if kind not in INPUT_TYPES and not reader["Resource"].endswith("listObjectsV2"):
            raise self.failure(
                "States.ItemReaderFailed", f"InputType {kind} is not simulated; use {', '.join(INPUT_TYPES)}"
            )
        bucket, key = reader["Arguments"]["Bucket"], reader["Arguments"].get("Key", "*")
        if reader["Resource"].endswith("listObjectsV2"):
            self.require(
                "s3",
                "s3:ListBucket",
                f"arn:aws:s3:::{bucket}",
                "States.ItemReaderFailed",
                {"s3:prefix": reader["Arguments"].get("Prefix", "")},
            )
        else:
            self.require("s3", "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", "States.ItemReaderFailed")
        return self.sfn._read_map_items(reader, {}, self.context)

    def selected(self, items: list) -> list:
        if "ItemSelector" not in self.state:
            return items
        return [
            self.sfn._apply_jsonata_template(self.state["ItemSelector"], self.raw_input, self.item_context(index, item))
            for index, item in enumerate(items)
        ]

    def item_context(self, index: int, item) -> dict:
        return {**self.context, "Map": {"Item": {"Index": index, "Value": item}}}

    def batches(self, items: list) -> list:
        """Return the children's inputs: each item, or {BatchInput?, Items: [...]}."""
        batcher = self.evaluated("ItemBatcher")
        if not batcher:
            return items
        most = int(batcher.get("MaxItemsPerBatch") or len(items) or 1)
        most_bytes = int(batcher.get("MaxInputBytesPerBatch") or 256 * 1024)
        groups: list[list] = []
        size = 0
        for item in items:
            item_bytes = len(json.dumps(item).encode())
            if not groups or len(groups[-1]) >= most or size + item_bytes > most_bytes:
                groups.append([])
                size = 0
            groups[-1].append(item)
            size += item_bytes
        shared = {"BatchInput": batcher["BatchInput"]} if "BatchInput" in batcher else {}
        return [{**shared, "Items": group} for group in groups]

    def begin(self, total: int) -> dict:
        """Start with what DescribeMapRun reports."""
        counts = {**dict.fromkeys(COUNTS, 0), "total": total, "pending": total}
        record = {
            "mapRunArn": self.arn,
            "executionArn": self.execution["executionArn"],
            "status": "RUNNING",
            "startDate": now(),
            "maxConcurrency": int(self.evaluated("MaxConcurrency", 0)),
            "redriveCount": 0,
            "toleratedFailurePercentage": float(self.evaluated("ToleratedFailurePercentage", 0)),
            "toleratedFailureCount": int(self.evaluated("ToleratedFailureCount", 0)),
            "itemCounts": dict(counts),
            "executionCounts": dict(counts),
            "_stateMachineArn": self.machine,
        }
        self.sfn._map_runs[self.arn] = record
        return record

    def run_children(self, inputs: list, record: dict) -> list[dict]:
        at_once = min(record["maxConcurrency"] or MOST_AT_ONCE, MOST_AT_ONCE, len(inputs) or 1)
        with ThreadPoolExecutor(max_workers=at_once) as pool:
            started = [
                pool.submit(contextvars.copy_context().run, self.run_child, index, child_input)
                for index, child_input in enumerate(inputs)
            ]
        children = [future.result() for future in started]
        for counts in (record["itemCounts"], record["executionCounts"]):
            counts.update(
                pending=0,
                **{
                    name: sum(child["status"] == name.upper() for child in children)
                    for name in ("succeeded", "failed", "aborted")
                },
            )
        return children

    def run_child(self, index: int, child_input) -> dict:
        """Run one child execution to its end. It sees none of the parent's variables, as on AWS."""
        name = str(uuid.uuid4())
        child: dict[str, Any] = {
            "executionArn": f"{self.machine.replace(':stateMachine:', ':execution:')}:{name}",
            "name": name,
            "stateMachineArn": self.machine,
            "mapRunArn": self.arn,
            "status": "RUNNING",
            "startDate": now(),
            "stopDate": None,
            "input": json.dumps(child_input),
            "inputDetails": {"included": True},
            "output": None,
            "outputDetails": {"included": True},
            "events": [],
            "testCase": "",
            "mockAttempts": {},
        }
        self.sfn._executions[child["executionArn"]] = child
        processor = self.state["ItemProcessor"]
        context = {**copy.deepcopy(self.item_context(index, child_input)), "variables": {}}
        try:
            output = self.sfn._run_sub_machine(processor["States"], processor["StartAt"], child_input, child, context)
            child.update(status="SUCCEEDED", output=json.dumps(output))
        except self.sfn._ExecutionError as error:
            child.update(status="FAILED", error=error.error, cause=error.cause)
        except SystemExit:  # the whole execution was stopped
            child.update(status="ABORTED")
        except Exception as error:  # noqa: BLE001 - whatever fails an item is its failure
            child.update(status="FAILED", error="States.Runtime", cause=str(error))
        child["stopDate"] = now()
        return child

    def judge(self, unsuccessful: list[dict], total: int, record: dict) -> None:
        """Raise if more children failed than the state tolerates."""
        limits = [len(unsuccessful) > record["toleratedFailureCount"]] if "ToleratedFailureCount" in self.state else []
        if "ToleratedFailurePercentage" in self.state:
            limits.append(100 * len(unsuccessful) > record["toleratedFailurePercentage"] * total)
        exceeded = any(limits) if limits else bool(unsuccessful)
        record.update(status="FAILED" if exceeded else "SUCCEEDED", stopDate=now())
        if exceeded:
            first = unsuccessful[0]
            raise self.failure(
                "States.ExceedToleratedFailureThreshold",
                "The specified tolerated failure threshold was "
                f"exceeded: {len(unsuccessful)} of {total} failed, the first with {first.get('error')}: "
                f"{first.get('cause')}",
            )

    def write(self, children: list[dict], writer: dict) -> dict:
        """Write the children's results to S3, like the result writer; return where the manifest is."""
        writer = self.evaluated("ResultWriter")
        bucket, prefix = writer["Arguments"]["Bucket"], writer["Arguments"].get("Prefix", "").strip("/")
        folder = f"{prefix}/{self.id}" if prefix else self.id
        files: dict[str, list[dict]] = {"SUCCEEDED": [], "FAILED": [], "PENDING": []}
        for status in ("SUCCEEDED", "FAILED"):
            told = [told_of(child) for child in children if child["status"] == status]
            if told:
                key, content = f"{folder}/{status}_0.json", json.dumps(told).encode()
                self.put(bucket, key, content)
                files[status].append({"Key": key, "Size": len(content)})
        manifest = {"DestinationBucket": bucket, "MapRunArn": self.arn, "ResultFiles": files}
        self.put(bucket, f"{folder}/manifest.json", json.dumps(manifest).encode())
        return {"MapRunArn": self.arn, "ResultWriterDetails": {"Bucket": bucket, "Key": f"{folder}/manifest.json"}}

    def put(self, bucket: str, key: str, content: bytes) -> None:
        self.require("s3", "s3:PutObject", f"arn:aws:s3:::{bucket}/{key}", "States.ResultWriterFailed")
        headers = {
            "content-type": "application/json",
            "host": "127.0.0.1",
            "content-length": str(len(content)),
            "authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/s3/aws4_request",
        }
        status, _, answer = app.call_service_handler_sync(
            app.SERVICE_HANDLERS["s3"], "PUT", f"/{bucket}/{key}", headers, content, {}
        )
        if status >= 400:
            raise self.failure("States.ResultWriterFailed", f"s3://{bucket}/{key}: {answer}")

    def failure(self, error: str, cause: str) -> Exception:
        return self.sfn._ExecutionError(error, cause)


def told_of(child: dict) -> dict:
    """Return a child execution as the result files describe it."""
    names = (
        "executionArn",
        "input",
        "inputDetails",
        "name",
        "output",
        "outputDetails",
        "startDate",
        "stateMachineArn",
        "status",
        "stopDate",
        "error",
        "cause",
    )
    return {name[0].upper() + name[1:]: child[name] for name in names if child.get(name) is not None}


def now() -> str:
    return now_iso()
