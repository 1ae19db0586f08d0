import json
import re
import weakref
from datetime import UTC, datetime, timedelta

import pytest

from domain.config import sections as config
from domain.contract import schema as contract
from domain.release.signature import SignatureRefused
from domain.timestamps import iso
from domain.train.windows import RunRefused, WindowError
from lambdas.train.candidates import job_name
from lambdas.train.select_window import BudgetSpent, NoRows, NothingToEvaluate, handler, select_window
from tests.lambdas import stage
from tests.lambdas.conftest import SHA256

RUN = "train-20130401-20261122T074500Z"
AS_OF = "2013-04-01T00:00:00Z"
URI = f"s3://{stage.LAKE}"
PARTS = [
    {
        "key": "rows/month=2013-01/load-00000.parquet",
        "rows": 100,
        "first": "2013-01-05T00:00:00Z",
        "last": "2013-01-31T23:00:00Z",
    },
    {
        "key": "rows/month=2013-03/load-00001.parquet",
        "rows": 200,
        "first": "2013-03-01T00:00:00Z",
        "last": "2013-03-31T23:59:00Z",
    },
    {
        "key": "rows/month=2013-04/load-00002.parquet",
        "rows": 400,
        "first": "2013-04-01T00:00:00Z",
        "last": "2013-04-30T00:00:00Z",
    },
    {
        "key": "rows/month=2012-12/load-00003.parquet",
        "rows": 800,
        "first": "2012-12-01T00:00:00Z",
        "last": "2012-12-31T23:59:59Z",
    },
]


def load(aws, parts, run="load-1", loaded_us=0) -> None:
    aws.put(stage.RUNS, kind="load", run=run, status="SUCCEEDED", parts=json.dumps(parts), loaded_us=loaded_us)


def test_the_loads_are_named_in_the_order_of_loading(aws):
    load(aws, PARTS[:1], run="newest", loaded_us=3)
    load(aws, PARTS[1:2], run="a-second", loaded_us=2)
    load(aws, PARTS[2:], run="beside the window", loaded_us=1)
    handler({"run": RUN, "as_of": "2013-04-01"}, None)
    assert aws.document(f"runs/{RUN}/settings/run.json")["loads"] == ["a-second", "newest"]


def test_a_run_gets_its_window_its_manifests_and_its_candidates(aws):
    load(aws, PARTS[:2])
    load(aws, PARTS[2:], run="load-2")

    reply = handler({"run": RUN, "as_of": "2013-04-01"}, None)

    window = {"train_start": "2013-01-01T00:00:00Z", "evaluate_start": "2013-03-04T00:00:00Z", "as_of": AS_OF}
    assert reply == {
        "run": RUN,
        **window,
        "train_rows": 300,
        "evaluate_rows": 200,
        "settings_uri": f"{URI}/runs/{RUN}/settings/",
        "train_manifest": f"{URI}/runs/{RUN}/train.manifest",
        "evaluate_manifest": f"{URI}/runs/{RUN}/evaluate.manifest",
        "artefacts_uri": f"{URI}/artefacts/{RUN}/",
        "candidates": [candidate(name, window) for name in ("prior", "logistic_regression", "gradient_boosting")],
        "champion": None,
    }
    assert aws.document(f"runs/{RUN}/train.manifest") == [
        {"prefix": f"{URI}/rows/"},
        "month=2013-01/load-00000.parquet",
        "month=2013-03/load-00001.parquet",
    ]
    assert aws.document(f"runs/{RUN}/evaluate.manifest") == [
        {"prefix": f"{URI}/rows/"},
        "month=2013-03/load-00001.parquet",
    ]
    assert aws.document(f"runs/{RUN}/settings/run.json") == {
        "run": RUN,
        "imported": False,
        **window,
        "artefacts_uri": f"{URI}/artefacts/{RUN}/",
        "loads": ["load-1"],
        "champion": None,
        "champion_sha256": None,
        "code_version": "image-1",
    }
    record = aws.item(stage.RUNS, kind="train", run=RUN)
    assert record.pop("started_at") and re.fullmatch(r"[0-9a-f]{16}", record.pop("data_hash"))
    assert record == {
        "kind": "train",
        "run": RUN,
        "status": "RUNNING",
        **window,
        "train_rows": 300,
        "evaluate_rows": 200,
        "contract_hash": stage.CONTRACT.hash,
        "code_version": "image-1",
    }


def test_an_imported_model_is_the_only_candidate_and_needs_no_rows_to_learn_from(aws):
    load(aws, PARTS[1:2])
    reply = handler({"run": RUN, "as_of": "2013-04-01", "imported": True}, None)
    assert {name: reply[name] for name in ("candidates", "train_rows", "evaluate_rows", "evaluate_start", "as_of")} == {
        "candidates": [],
        "train_rows": 0,
        "evaluate_rows": 200,
        "evaluate_start": "2013-03-04T00:00:00Z",
        "as_of": AS_OF,
    }


def candidate(name: str, window: dict) -> dict:
    return {
        "name": name,
        "job": job_name(RUN, name),
        "hyperparameters": {"candidate": name, **window, "seed": "7", "parameters": "{}"},
        "output_uri": f"{URI}/artefacts/{RUN}/{name}",
        "checkpoint_uri": f"{URI}/scratch/checkpoints/{RUN}/{name}/",
    }


def test_the_jobs_read_back_the_very_settings_that_were_deployed(aws):
    load(aws, PARTS)
    handler({"run": RUN, "as_of": AS_OF}, None)
    assert config.from_dict(aws.document(f"runs/{RUN}/settings/config.json")) == stage.CONFIG
    assert contract.from_dict(aws.document(f"runs/{RUN}/settings/contract.json")) == stage.CONTRACT


def test_a_run_may_ask_for_another_window(aws):
    load(aws, PARTS)
    reply = handler({"run": RUN, "as_of": AS_OF, "window_days": 120, "evaluate_days": 31}, None)
    assert (reply["train_start"], reply["evaluate_start"]) == ("2012-12-02T00:00:00Z", "2013-03-01T00:00:00Z")
    assert (reply["train_rows"], reply["evaluate_rows"]) == (900, 200)


def test_the_champion_comes_along_to_be_compared_with(aws):
    load(aws, PARTS)
    aws.route()
    aws.released()
    reply = handler({"run": RUN, "as_of": AS_OF}, None)
    assert reply["champion"] == {"release": "r-1", "model_uri": "s3://lake/model.tar.gz"}
    settings = aws.document(f"runs/{RUN}/settings/run.json")
    assert (settings["champion"], settings["champion_sha256"]) == ("r-1", SHA256)


def test_an_evaluation_judges_the_candidates_of_the_champion_s_run_and_trains_none(aws):
    load(aws, PARTS)
    aws.route()
    aws.released(model_uri=f"{URI}/artefacts/train-0/prior/job/output/model.tar.gz")
    reply = handler({"run": "evaluate-2013-03-31", "as_of": AS_OF, "only_evaluate": True}, None)
    assert (reply["candidates"], reply["artefacts_uri"]) == ([], f"{URI}/artefacts/train-0/")
    assert (reply["train_rows"], reply["evaluate_rows"], reply["champion"]["release"]) == (0, 200, "r-1")
    assert aws.document("runs/evaluate-2013-03-31/settings/run.json")["artefacts_uri"] == f"{URI}/artefacts/train-0/"


def test_without_a_champion_there_is_nothing_to_evaluate(aws):
    load(aws, PARTS)
    with pytest.raises(NothingToEvaluate, match="no release answers yet"):
        handler({"run": RUN, "as_of": AS_OF, "only_evaluate": True}, None)


def test_a_champion_that_was_not_signed_as_it_is_is_not_even_compared_with(aws):
    load(aws, PARTS)
    aws.route()
    aws.released(artefact_sha256="0" * 64)
    with pytest.raises(SignatureRefused, match="release r-1 with artefact 000000000000"):
        handler({"run": RUN, "as_of": AS_OF}, None)


def test_parts_that_no_load_names_do_not_exist(aws):
    load(aws, PARTS[1:2])
    aws.upload(PARTS[0]["key"], b"PAR1")
    reply = handler({"run": RUN, "as_of": AS_OF}, None)
    assert aws.document(f"runs/{RUN}/train.manifest")[1:] == ["month=2013-03/load-00001.parquet"]
    assert reply["train_rows"] == 200


def test_started_again_it_writes_the_same_and_remembers_when_it_began(aws):
    load(aws, PARTS)
    first = handler({"run": RUN, "as_of": AS_OF}, None)
    began = aws.item(stage.RUNS, kind="train", run=RUN)
    assert handler({"run": RUN, "as_of": AS_OF}, None) == first
    assert aws.item(stage.RUNS, kind="train", run=RUN) == began


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            [],
            (
                "no rows to train on from 2013-01-01T00:00:00Z to 2013-03-04T00:00:00Z; the lake is "
                "empty: load rows with `fairway load FILE`"
            ),
        ),
        (
            PARTS[2:],
            (
                "no rows to train on from 2013-01-01T00:00:00Z to 2013-03-04T00:00:00Z; the lake has 1,200 rows from "
                "2012-12-01T00:00:00Z to 2013-04-30T00:00:00Z: load more, or choose another --as-of"
            ),
        ),
        (
            PARTS[:1],
            (
                "no rows to evaluate on from 2013-03-04T00:00:00Z to 2013-04-01T00:00:00Z; the lake has 100 rows from "
                "2013-01-05T00:00:00Z to 2013-01-31T23:00:00Z: load more, or choose another --as-of"
            ),
        ),
    ],
)
def test_a_window_without_rows_says_which_and_what_there_is(aws, parts, message):
    load(aws, parts)
    with pytest.raises(NoRows) as refused:
        handler({"run": RUN, "as_of": AS_OF}, None)
    assert str(refused.value) == message
    assert aws.item(stage.RUNS, kind="train", run=RUN) is None


def test_years_of_loads_are_gone_through_once_and_only_the_window_is_held():
    held = weakref.WeakSet()
    most = 0

    class Part(dict):
        __hash__ = object.__hash__

    def loads():
        nonlocal most
        for day in range(4000):
            at = iso(datetime(2005, 1, 1, tzinfo=UTC) + timedelta(days=day))
            part = Part(key=f"rows/{day}.parquet", rows=10, first=at, last=at, load=str(day), loaded=day)
            held.add(part)
            most = max(most, len(held))
            yield part

    event = {"run": RUN, "as_of": AS_OF, "window_days": 90, "evaluate_days": 28}
    ignore = {"verify": pytest.fail, "write": lambda key, document: None, "record": lambda run, values: None}
    reply = select_window(event, parts=loads(), champion=None, **ignore)
    assert (reply["train_rows"], reply["evaluate_rows"]) == (620, 280)
    assert most < 100


@pytest.mark.parametrize(
    "wrong", [{"as_of": "soon"}, {"window_days": 28}, {"window_days": 10**9}, {"as_of": "0001-01-02"}]
)
def test_a_window_that_cannot_be_is_refused(aws, wrong):
    load(aws, PARTS)
    with pytest.raises(WindowError):
        handler({"run": RUN, "as_of": AS_OF, **wrong}, None)


@pytest.mark.parametrize("run", ["", "../secrets", "a/b", "x" * 81, "ü", "a b"])
def test_a_run_whose_name_would_not_fit_into_a_key_is_refused(aws, run):
    load(aws, PARTS)
    with pytest.raises(RunRefused):
        handler({"run": run, "as_of": AS_OF}, None)


def guarded(aws, **more) -> None:
    now = iso(datetime.now(UTC))
    done = {
        "month": now[:7],
        "actions": ["stop_training"],
        "undone": [],
        "spent_usd": 46.0,
        "budget_usd": 60.0,
        "at": now,
    }
    aws.put(stage.ROUTING, **{"item": "guard", **done, **more})


def test_no_run_begins_once_the_guard_stopped_training(aws):
    load(aws, PARTS)
    guarded(aws)
    with pytest.raises(
        BudgetSpent,
        match=r"no training until .*: \$46.00 of the budget of \$60.00 .*`fairway resume` lets it train before",
    ):
        handler({"run": RUN, "as_of": AS_OF}, None)
    assert aws.item(stage.RUNS, kind="train", run=RUN) is None


@pytest.mark.parametrize(
    "over", [{"undone": ["stop_training"]}, {"month": "2013-03"}, {"actions": ["stop_challengers"]}]
)
def test_runs_begin_again_once_resumed_or_in_another_month(aws, over):
    load(aws, PARTS)
    guarded(aws, **over)
    assert handler({"run": RUN, "as_of": AS_OF}, None)["run"] == RUN


def test_job_names_fit_start_with_the_stage_and_never_collide():
    names = [
        job_name(run, name) for run in (RUN, RUN + "x" * 30, RUN + "x" * 31) for name in ("prior", "gradient_boosting")
    ]
    assert names[0] == f"flights-local-{RUN}-prior"
    assert len(set(names)) == 6
    assert all(name.startswith("flights-local-train-") and len(name) <= 63 for name in names)
