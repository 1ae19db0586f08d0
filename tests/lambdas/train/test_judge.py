import json
from dataclasses import replace

import pytest

from domain.config.sections import Release, of_stage
from domain.contract.packed import packed
from domain.contract.schema import as_dict
from domain.packed import packed_json
from domain.release.tally import in_words
from lambdas.aws import signatures
from lambdas.train import judge as module
from lambdas.train.judge import EvaluationMissing, EvaluationUnreadable, approval_status, handler
from tests.lambdas import stage

RUN = "train-20130401-1"
SHA256 = "abcdef01" * 8
DECISIONS = {"true_positive": 3000, "false_positive": 2000, "true_negative": 18_000, "false_negative": 2000}
# Another one than is deployed: the contract was edited while the run went on.
MADE_UNDER = replace(stage.CONTRACT, columns=stage.CONTRACT.columns[:-2] + stage.CONTRACT.columns[-1:])
EVALUATION = {
    "metric": "roc_auc",
    "imported": False,
    "threshold": 0.5,
    "rows": 25_000,
    "window": {
        "train_start": "2013-01-01T00:00:00Z",
        "evaluate_start": "2013-03-04T00:00:00Z",
        "as_of": "2013-04-01T00:00:00Z",
    },
    "coverage": {
        "first": "2013-03-04T00:00:00Z",
        "last": "2013-03-31T22:00:00Z",
        "age_days": 0.083333,
        "days": 28,
        "missing": [],
    },
    "baseline": {"roc_auc": 0.5},
    "candidates": {
        "gradient_boosting": {
            "metrics": {"roc_auc": 0.7, "calibration_error": 0.02},
            "standard_error": 0.004,
            "p50_ms": 0.5,
            "p99_ms": 1.5,
            "size_mb": 0.4,
            "artefact_sha256": SHA256,
            "model_uri": "s3://lake/model.tar.gz",
            "decisions": DECISIONS,
            "contract": as_dict(MADE_UNDER),
        }
    },
    "champion": None,
}
RELEASE = "r-20130401-abcdef01"
REASON = (
    "gradient_boosting keeps every benchmark: roc_auc 0.7000 on 25,000 later rows, against "
    "0.5000 of the prior, no champion yet; "
    "p99 1.5 ms, 0.4 MB"
)
METADATA = {
    "release": RELEASE,
    "run": RUN,
    "artefact_sha256": SHA256,
    "as_of": "2013-04-01T00:00:00Z",
    "candidate": "gradient_boosting",
    "contract_hash": MADE_UNDER.hash,
    "code_version": "image-1",
}


TABLE = {"task": "binary", "coverage": 0.9, "rows": 25_000}  # as much as judge looks at, which is nothing


def evaluated(aws, **values) -> None:
    aws.upload(f"runs/{RUN}/evaluation.json", {**EVALUATION, **values})
    champion = [values["champion"]["release"]] if values.get("champion") else []
    for model in (*values.get("candidates", EVALUATION["candidates"]), *champion):
        aws.upload(f"runs/{RUN}/confidence/{model}.json", {**TABLE, "of": model})


def remembered(aws) -> dict:
    item = aws.item(stage.ROUTING, item=f"release#{RELEASE}")
    assert item.pop("created_at")
    return item


def signed(aws) -> str:
    """The signature of the release as its item has it, once it was found to be ours."""
    signature = aws.item(stage.ROUTING, item=f"release#{RELEASE}")["signature"]
    signatures.verify({"release": RELEASE, "artefact_sha256": SHA256, "signature": signature})
    return signature


def test_a_run_that_keeps_the_benchmarks_is_approved(aws):
    evaluated(aws)
    reply = handler({"run": RUN}, None)
    assert reply == {
        "verdict": "approved",
        "candidate": "gradient_boosting",
        "release": RELEASE,
        "reason": REASON,
        "model_uri": "s3://lake/model.tar.gz",
        "artefact_sha256": SHA256,
        "metrics": {"roc_auc": 0.7, "calibration_error": 0.02},
        "approval_status": "Approved",
        "metadata": {**METADATA, "signature": signed(aws)},
    }
    verdict = aws.document(f"runs/{RUN}/verdict.json")
    assert (verdict["run"], verdict["release"], verdict["tried"]) == (RUN, RELEASE, {"gradient_boosting": []})
    assert (verdict["rates"], verdict["decisions"]) == ({"precision": 0.6, "recall": 0.6}, DECISIONS)
    assert remembered(aws) == {
        "item": f"release#{RELEASE}",
        "release": RELEASE,
        "state": "approved",
        "reason": REASON,
        "why": "gradient_boosting was the only candidate",
        "answers": in_words({"decisions": DECISIONS}, 0.5),
        "run": RUN,
        "imported": False,
        "candidate": "gradient_boosting",
        "as_of": "2013-04-01T00:00:00Z",
        "artefact_sha256": SHA256,
        "signature": signed(aws),
        "model_uri": "s3://lake/model.tar.gz",
        "metrics": {"roc_auc": 0.7, "calibration_error": 0.02},
        "p99_ms": 1.5,
        "size_mb": 0.4,
        "decisions": DECISIONS,
        "contract": packed(MADE_UNDER),
        "confidence": packed_json({**TABLE, "of": "gradient_boosting"}),
    }


@pytest.fixture
def must_pay(monkeypatch):
    """A stage whose API alone is deployed, for a million requests a month, and where yes and no have these values."""

    class Stacks:
        """CloudFormation, as far as it is asked: moto's needs a package that nothing else does."""

        def get_template(self, *, StackName):  # noqa: N803
            return {
                "TemplateBody": {
                    "Resources": {"Board": {"Type": "AWS::CloudWatch::Dashboard"}} if "data" in StackName else {}
                }
            }

    def use(**values):
        config = of_stage(
            {
                "project": {"name": "flights", "contract": "contract.toml", "task": "binary"},
                "budget": {"require_positive_value": True},
                "usage": {"requests_per_second": 1_000_000 / (730 * 3600), "batch_runs": 0.0},
                "business": values,
            },
            "local",
        )
        monkeypatch.setattr(module, "CONFIG", config)
        monkeypatch.setattr("lambdas.aws.deployed.cloudformation", Stacks)

    return use


def test_a_model_that_must_pay_for_itself_is_weighed_against_what_the_stage_costs(aws, must_pay):
    evaluated(aws)
    must_pay(true_positive_usd=1.0)
    assert handler({"run": RUN}, None)["verdict"] == "approved"
    must_pay(true_positive_usd=1.0, false_positive_usd=-3.0)
    # Without it everybody is told no. (3,000 x 1 - 2,000 x 3) / 25,000 = -0.12, x 1,000,000 decisions - 3 for the
    # dashboard
    reply = handler({"run": RUN}, None)
    assert reply["verdict"] == "rejected"
    assert reply["reason"].startswith(
        "gradient_boosting: value not shown to exceed cost (required by budget.require_positive_value). "
        "The model costs $120,003 a month more than it brings (between -$"
    )


def test_an_evaluation_without_decisions_cannot_be_weighed(aws, must_pay):
    one = EVALUATION["candidates"]["gradient_boosting"]
    evaluated(aws, candidates={"gradient_boosting": {name: one[name] for name in one if name != "decisions"}})
    must_pay(true_positive_usd=1.0)
    with pytest.raises(EvaluationUnreadable, match="lacks 'decisions'"):
        handler({"run": RUN}, None)


def test_a_run_that_breaks_a_benchmark_is_rejected_and_says_why(aws):
    evaluated(aws, candidates={"gradient_boosting": {**EVALUATION["candidates"]["gradient_boosting"], "p99_ms": 50.0}})
    reply = handler({"run": RUN}, None)
    reason = "no candidate keeps the benchmarks; the best, gradient_boosting: p99 50 ms, at most 10.0 ms was agreed"
    assert (reply["verdict"], reply["approval_status"], reply["reason"]) == ("rejected", "Rejected", reason)
    assert remembered(aws)["state"] == "rejected"


def status_of(verdict: str, *, imported: bool = False, **settings) -> str:
    return approval_status(verdict, Release(**settings), imported=imported).value


def test_where_a_person_approves_a_good_release_waits():
    assert status_of("approved") == "Approved"
    assert status_of("approved", approve="manual") == "PendingManualApproval"
    assert {status_of("rejected", approve=approve, imported=True) for approve in ("auto", "manual")} == {"Rejected"}


def test_a_model_made_elsewhere_waits_unless_settings_let_it_through():
    assert status_of("approved", imported=True) == "PendingManualApproval"
    assert status_of("approved", imported=True, approve_imported="auto") == "Approved"
    assert status_of("approved", imported=True, approve_imported="auto", approve="manual") == "PendingManualApproval"
    assert status_of("approved", approve_imported="manual") == "Approved"


def test_an_imported_release_is_remembered_as_one_that_waits(aws):
    evaluated(aws, imported=True)
    assert handler({"run": RUN}, None)["approval_status"] == "PendingManualApproval"
    item = remembered(aws)
    assert (item["state"], item["imported"]) == ("waiting", True)


def test_judged_again_it_is_judged_alike(aws):
    evaluated(aws)
    """But for the signature, in which there is chance."""
    first, again = (handler({"run": RUN}, None) for _ in range(2))
    assert again == {**first, "metadata": {**first["metadata"], "signature": signed(aws)}}


@pytest.mark.parametrize("state", ["deploying", "champion", "previous"])
def test_a_release_that_serves_stays_as_it_is_when_training_makes_it_once_more(aws, state):
    evaluated(aws, champion={**EVALUATION["candidates"]["gradient_boosting"], "release": RELEASE})
    aws.put(stage.ROUTING, item=f"release#{RELEASE}", release=RELEASE, state=state, run="the first")
    reply = handler({"run": RUN}, None)
    reason = f"gradient_boosting is identical to the current champion {RELEASE}"
    assert (reply["verdict"], reply["reason"]) == ("rejected", reason)
    assert aws.item(stage.ROUTING, item=f"release#{RELEASE}")["state"] == state


@pytest.mark.parametrize("state", ["rejected", "approved", "waiting", "failed", "retired"])
def test_a_release_that_does_not_serve_takes_the_new_verdict(aws, state):
    evaluated(aws)
    aws.put(stage.ROUTING, item=f"release#{RELEASE}", release=RELEASE, state=state)
    handler({"run": RUN}, None)
    assert remembered(aws)["state"] == "approved"


CHAMPION = {
    "release": "r-20130301-00000000",
    "metrics": {"roc_auc": 0.55, "calibration_error": 0.02},
    "standard_error": 0.004,
    "p50_ms": 0.5,
    "p99_ms": 1.5,
    "size_mb": 0.4,
    "artefact_sha256": "0" * 64,
    "decisions": {"true_positive": 1_000, "false_positive": 500, "true_negative": 20_000, "false_negative": 3_500},
    "gain_errors": {"gradient_boosting": 0.002},
}
BROKEN = ["roc_auc 0.5500, at least 0.65 was agreed"]
MEASUREMENT = {
    "release": CHAMPION["release"],
    "run": RUN,
    "rows": 25_000,
    "evaluate_start": "2013-03-04T00:00:00Z",
    "as_of": "2013-04-01T00:00:00Z",
    "metrics": CHAMPION["metrics"],
    "standard_error": 0.004,
    "p99_ms": 1.5,
    "size_mb": 0.4,
    "broken": BROKEN,
    "decisions": CHAMPION["decisions"],
}


def measured(aws, capsys, **item) -> tuple[dict | None, int]:
    """The champion's newest measurement after a run that evaluated it, and how many benchmarks the metric counts."""
    evaluated(aws, champion=CHAMPION)
    aws.put(stage.ROUTING, item=f"release#{CHAMPION['release']}", release=CHAMPION["release"], state="champion", **item)
    capsys.readouterr()
    handler({"run": RUN}, None)
    kept = aws.item(stage.ROUTING, item=f"release#{CHAMPION['release']}").get("newest")
    return kept, written(capsys)["BrokenBenchmarks"]


def written(capsys) -> dict:
    """Every metric that was written, by name."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {one["Name"]: line[one["Name"]] for line in lines for one in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}


def test_a_run_keeps_what_it_measured_of_the_champion_and_counts_what_it_breaks(aws, capsys):
    assert measured(aws, capsys, as_of="2013-03-01T00:00:00Z") == (MEASUREMENT, 1)
    item = aws.item(stage.ROUTING, item=f"release#{CHAMPION['release']}")
    assert item["confidence"] == packed_json({**TABLE, "of": CHAMPION["release"]}), "as sure as on the newest rows"


@pytest.mark.parametrize(
    "item",
    [
        {"as_of": "2013-04-01T00:00:00Z"},
        {"as_of": "2013-03-01T00:00:00Z", "newest": {**MEASUREMENT, "as_of": "2013-05-01T00:00:00Z"}},
    ],
)
def test_a_run_about_an_earlier_time_does_not_replace_a_newer_measurement(aws, capsys, item):
    assert measured(aws, capsys, **item)[0] == item.get("newest")


def test_a_gain_within_its_standard_error_is_not_released(aws):
    current = {**CHAMPION, "metrics": {"roc_auc": 0.6985, "calibration_error": 0.02}}
    evaluated(aws, champion=current)
    answer = handler({"run": RUN}, None)
    assert (answer["verdict"], answer["approval_status"]) == ("rejected", "Rejected")
    assert answer["reason"].endswith("a gain of +0.0015 does not exceed its standard error, 0.0020")


def test_without_a_champion_nothing_is_measured_of_it(aws, capsys):
    evaluated(aws)
    handler({"run": RUN}, None)
    assert "BrokenBenchmarks" not in capsys.readouterr().out


STALE = (
    "the newest row is from 2013-03-10T00:00:00Z, 22.0 days before 2013-04-01T00:00:00Z; "
    "at most 14 days were agreed (data.max_age_days)"
)


def test_rows_that_are_too_old_release_nothing_and_their_age_is_a_metric(aws, capsys):
    old = {**EVALUATION["coverage"], "last": "2013-03-10T00:00:00Z", "age_days": 22.0}
    evaluated(aws, coverage={**old, "missing": [["2013-03-11", "2013-03-31"]]})
    reply = handler({"run": RUN}, None)
    assert (reply["verdict"], reply["reason"]) == (
        "rejected",
        STALE,
    )
    assert written(capsys) == {"DataAgeDays": 22.0}
    assert aws.document(f"runs/{RUN}/verdict.json")["coverage"]["missing"] == [["2013-03-11", "2013-03-31"]]


def test_a_run_without_an_evaluation_cannot_be_judged(aws):
    with pytest.raises(EvaluationMissing) as missing:
        handler({"run": RUN}, None)
    assert (
        str(missing.value) == f"s3://{stage.LAKE}/runs/{RUN}/evaluation.json does not exist; see the Evaluate job's log"
    )


def test_a_bill_that_cannot_be_reckoned_is_not_blamed_on_the_evaluation(monkeypatch):
    def bill():
        raise KeyError("AWS::New::Thing")

    budget = replace(stage.CONFIG.budget, require_positive_value=True)
    monkeypatch.setattr(module, "CONFIG", replace(stage.CONFIG, budget=budget))
    with pytest.raises(KeyError, match="AWS::New::Thing"):
        module.verdict_on(EVALUATION, bill)


@pytest.mark.parametrize("missing", ["candidates", "baseline", "champion", "rows", "coverage"])
def test_an_evaluation_of_another_version_cannot_be_judged(aws, missing):
    aws.upload(f"runs/{RUN}/evaluation.json", {name: value for name, value in EVALUATION.items() if name != missing})
    with pytest.raises(EvaluationUnreadable) as unreadable:
        handler({"run": RUN}, None)
    assert missing in str(unreadable.value)


def test_what_the_registry_keeps_fits_into_the_registry(aws):
    evaluated(aws)
    metadata = handler({"run": RUN}, None)["metadata"]
    assert all(isinstance(value, str) and len(value) <= 256 for value in metadata.values())
