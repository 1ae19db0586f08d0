"""Age of the newest loaded row by the clock; `guard` reports it every hour, whether or not anything trains."""

import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import cast

from domain.names import Metric
from domain.records import runs_query
from domain.runs import LoadItem, RunKind
from domain.train.windows import Part, newest_row
from lambdas import metrics
from lambdas.aws import tables
from lambdas.settings import CONFIG, CONTRACT

RUNS = os.environ["RUNS_TABLE"]
DAY = timedelta(days=1)


def report_age(now: datetime) -> None:
    """Write the metric that an alarm watches, if an age was agreed and a row with a time is loaded."""
    if not CONFIG.data.max_age_days or CONTRACT.event_time is None:
        return
    newest = newest_row(_parts(), now)
    if newest is not None:
        aged: dict[str, float] = {Metric.DATA_AGE_DAYS: round((now - newest) / DAY, 6)}
        print(metrics.line(project=CONFIG.project.name, stage=CONFIG.stage, measured=aged))


def _parts() -> Iterator[Part]:
    loads = cast(Iterator[LoadItem], tables.query_all(RUNS, **runs_query(RunKind.LOAD)))
    return (part for load in loads for part in cast(list[Part], json.loads(load["parts"])))
