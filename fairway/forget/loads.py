"""Rows of the lake and its quarantine; records of loads count the rest, and runs that learned are recorded."""

import json
import threading
from collections import Counter

from domain import lake, records
from domain.runs import LoadItem, RunKind
from fairway.forget.files import Folder, Rewritten, below
from fairway.forget.form import Found
from fairway.forget.parquet import problems_of
from fairway.forget.place import Task
from fairway.stage import loads
from fairway.stage import records as stored
from fairway.stage.lake_file import LakeFile

_QUARANTINE = lake.quarantine_prefix("").rstrip("/")  # of loads; capture has its own below it
_ONE_AT_A_TIME = threading.Lock()  # two files of a load may be rewritten at once


def _notice(task: Task, found: Found) -> None:
    task.learnt(found.times)


def _recount(task: Task, rewritten: Rewritten) -> None:
    """Record how many rows the part has now, in its load; a part without rows counts nowhere."""
    with _ONE_AT_A_TIME:
        load = _load_of(task, rewritten.current.key.rpartition("/")[2].rpartition("-")[0])
        if load is None:
            return
        parts = loads.parts_of(load)
        for part in parts:
            if part["key"] == rewritten.current.key:
                part["rows"] = rewritten.rows
        _update(task, load, accepted=sum(part["rows"] for part in parts), parts=json.dumps(parts))


def _recount_reasons(task: Task, rewritten: Rewritten) -> None:
    """Count the quarantined rows of the part's load again, by rule."""
    with _ONE_AT_A_TIME:
        folder = rewritten.current.key.rpartition("/")[0] + "/"
        load = _load_of(task, folder.removeprefix(_QUARANTINE).rstrip("/"))
        if load is None:
            return
        rows, reasons = 0, Counter[str]()
        for key in loads.quarantine_parts(task.stage, folder):
            for problems in problems_of(LakeFile(task.stage.client("s3"), task.lake, key)):  # type: ignore[arg-type]
                rows += 1
                reasons.update({problem["rule"] for problem in json.loads(problems)})
        _update(task, load, quarantined=rows, reasons=dict(reasons))


def _load_of(task: Task, name: str) -> LoadItem | None:
    """Return the record of a load, or what is left of it after a withdrawal."""
    return stored.run(task.stage, "load", name)


def _update(task: Task, load: LoadItem, **values: object) -> None:
    if all(load.get(name) == value for name, value in values.items()):
        return  # as a killed command has left it
    task.stage.client("dynamodb").update_item(
        TableName=task.stage.addresses["runs"],
        Key=records.run_key(RunKind.LOAD, load["run"]),
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ConditionExpression="attribute_exists(#run)",
        ExpressionAttributeNames={"#run": "run", **{f"#{name}": name for name in values}},
        ExpressionAttributeValues=records.to_item({f":{name}": value for name, value in values.items()}),
    )


forget_rows = below(Folder(lake.ROWS, "rows", noticed=_notice, settle=_recount))
forget_quarantine = below(Folder(_QUARANTINE, "quarantine", settle=_recount_reasons))
