"""evaluate: every candidate on the same later rows, in the shape that the gate judges by."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from domain.contract.schema import Column
from domain.release.gate import judge
from domain.train.curves import drawn
from domain.watch.bins import from_dict
from model_code.artefact.folder import open_artefact
from model_code.fitting import metrics
from tests.model_code.folders import TRAIN_RUN, WINDOW, evaluation_folder, settings_of

DECIDES = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "r2"}


def evaluated(run_verb, base):
    assert run_verb("evaluate", base) == 0
    return json.loads((base / "processing/output/evaluation/evaluation.json").read_text())


def test_the_evaluation_is_what_the_gate_judges(project, run_verb, tmp_path):
    base = evaluation_folder(tmp_path, project.contract, project.rows, project.models)
    evaluation = evaluated(run_verb, base)
    metric = DECIDES[project.task]
    assert (evaluation["metric"], evaluation["window"], evaluation["champion"]) == (metric, WINDOW, None)
    assert evaluation["rows"] == pytest.approx(len(project.rows) / 4, rel=0.15)
    assert (evaluation["coverage"] is None) == (project.contract.event_time is None)
    for name, measured in evaluation["candidates"].items():
        artefact = open_artefact(project.models[name])
        assert measured["artefact_sha256"] == artefact.sha256
        assert measured["model_uri"] == f"{TRAIN_RUN['artefacts_uri']}{name}/job-1/output/model.tar.gz"
        assert 0 < measured["p50_ms"] <= measured["p99_ms"] < 1000
        assert 0 < measured["size_mb"] < 1
        assert json.loads((base / "processing/output/evaluation" / measured["golden"]).read_text()) == artefact.golden
    verdict = judge(settings_of(project.contract, calibration_error=0.2, p99_ms=1000).benchmarks, evaluation)
    assert (verdict["verdict"], verdict["candidate"] != "prior") == ("approved", True)
    gains = {name: measured["metrics"][metric] for name, measured in evaluation["candidates"].items()}
    assert gains["gradient_boosting"] > gains["prior"] and gains["logistic_regression"] > evaluation["baseline"][metric]


def test_the_days_that_have_rows_are_counted_from_the_rows(parcels, run_verb, tmp_path):
    name = parcels.contract.event_time.name
    days = sorted({row[name][:10] for row in parcels.rows if WINDOW["evaluate_start"] <= row[name] < WINDOW["as_of"]})
    kept = [row for row in parcels.rows if row[name][:10] not in days[-3:]]
    coverage = evaluated(run_verb, evaluation_folder(tmp_path, parcels.contract, kept, parcels.models))["coverage"]
    assert (coverage["first"][:10], coverage["last"][:10]) == (days[0], days[-4])
    assert coverage["missing"] == [[days[-3], days[-1]]]
    assert coverage["days"] == len(days) == 15 and 3 < coverage["age_days"] < 4


def test_right_and_wrong_answers_are_counted_by_the_task(project, run_verb, tmp_path):
    evaluation = evaluated(run_verb, evaluation_folder(tmp_path, project.contract, project.rows, project.models))
    tally = {"binary": "decisions", "multiclass": "classes", "regression": "errors"}[project.task]
    for measured in evaluation["candidates"].values():
        assert {"decisions", "classes", "errors"} & measured.keys() == {tally}
        assert _rows_of(tally, measured[tally]) == evaluation["rows"]
    verdict = judge(settings_of(project.contract, calibration_error=0.2, p99_ms=1000).benchmarks, evaluation)
    assert f"of {evaluation['rows']} rows" in verdict["answers"]


def _rows_of(tally: str, counted: dict) -> int:
    if tally == "errors":
        return counted["rows"]
    return sum(counted.values()) if tally == "decisions" else sum(each["actual"] for each in counted.values())


def test_the_reference_of_a_candidate_is_counted_on_the_rows_it_is_judged_on(project, run_verb, tmp_path):
    base = evaluation_folder(tmp_path, project.contract, project.rows, project.models)
    evaluation = evaluated(run_verb, base)
    for measured in evaluation["candidates"].values():
        reference = json.loads((base / "processing/output/evaluation" / measured["reference"]).read_text())
        features = [column.name for column in project.contract.features if column.type != "timestamp"]
        assert sorted(reference["features"]) == sorted(features)
        for column in (*reference["features"].values(), reference["prediction"]):
            unseen = from_dict(column["bins"]).labels.index("unseen")
            assert (sum(column["counts"]), column["counts"][unseen]) == (evaluation["rows"], 0)
        assert reference["rows"] == evaluation["rows"]
        assert reference["wrong"] == _wrong(measured)
        assert (reference["value_usd"] is None) == (project.task != "binary")


def test_the_confidence_table_of_a_candidate_counts_the_rows_it_is_judged_on(project, run_verb, tmp_path):
    base = evaluation_folder(tmp_path, project.contract, project.rows, project.models)
    evaluation = evaluated(run_verb, base)
    for measured in evaluation["candidates"].values():
        table = json.loads((base / "processing/output/evaluation" / measured["confidence"]).read_text())
        answered = evaluation["rows"] - measured["unanswered"]
        assert (table["task"], table["coverage"], table["rows"]) == (project.task, 0.9, answered)
        assert sum(each["cases"] for each in table["similar"]) == answered
        assert measured["covered"]["rows"] == pytest.approx(answered / 2, abs=1)
        assert 0.7 < measured["covered"]["worst"] <= measured["covered"]["share"]


def _wrong(measured: dict) -> int | None:
    if "decisions" in measured:
        return measured["decisions"]["false_positive"] + measured["decisions"]["false_negative"]
    if "classes" in measured:
        return sum(each["actual"] - each["right"] for each in measured["classes"].values())
    return None


def curves_of(base):
    return json.loads((base / "processing/output/evaluation/curves.json").read_text())


def test_the_curves_of_every_candidate_lie_beside_the_evaluation(project, run_verb, tmp_path):
    base = evaluation_folder(tmp_path, project.contract, project.rows, project.models)
    evaluation, curves = evaluated(run_verb, base), curves_of(base)
    assert (list(curves["candidates"]), curves["champion"]) == (list(evaluation["candidates"]), None)
    for name, curve in curves["candidates"].items():
        assert sum(curve["calibration"]["rows"]) == evaluation["rows"]
        assert ("cuts" in curve) == (project.task == "binary")
        assert ("risk" in curve) == (project.task != "regression")
        if "cuts" in curve:
            decisions = evaluation["candidates"][name]["decisions"]
            assert curve["cuts"]["true_positive"][-1] == decisions["true_positive"] + decisions["false_negative"]
            area = np.trapezoid(*np.array(drawn(curve).roc).T[::-1])
            assert area == pytest.approx(evaluation["candidates"][name]["metrics"]["roc_auc"], abs=0.005)


def test_the_champion_is_measured_on_the_same_rows(returns, run_verb, tmp_path):
    models = {"gradient_boosting": returns.models["gradient_boosting"]}
    champion = returns.models["gradient_boosting"]
    base = evaluation_folder(tmp_path, returns.contract, returns.rows, models, champion, release="r-1")
    evaluation = evaluated(run_verb, base)
    measured, current = evaluation["candidates"]["gradient_boosting"], evaluation["champion"]
    assert (current["release"], current["metrics"]) == ("r-1", measured["metrics"])
    curves = curves_of(base)
    assert curves["champion"] == curves["candidates"]["gradient_boosting"]
    assert current["gain_errors"] == {"gradient_boosting": 0.0}
    folder = base / "processing/output/evaluation/confidence"
    assert (folder / "r-1.json").read_bytes() == (folder / "gradient_boosting.json").read_bytes()
    verdict = judge(settings_of(returns.contract, calibration_error=0.2, p99_ms=1000).benchmarks, evaluation)
    assert verdict["reason"] == "gradient_boosting is identical to the current champion r-1"


def test_the_error_of_a_gain_is_of_both_models_on_the_same_rows(project, run_verb, tmp_path):
    champion = project.models["logistic_regression"]
    base = evaluation_folder(tmp_path, project.contract, project.rows, project.models, champion, release="r-1")
    evaluation = evaluated(run_verb, base)
    errors, candidates = evaluation["champion"]["gain_errors"], evaluation["candidates"]
    assert errors.keys() == candidates.keys() and errors["logistic_regression"] == 0.0
    apart = np.hypot(*(candidates[name]["standard_error"] for name in ("gradient_boosting", "logistic_regression")))
    assert 0 < errors["gradient_boosting"] < apart


def test_a_champion_that_the_contract_no_longer_feeds_is_not_compared(returns, parcels, run_verb, tmp_path, capsys):
    base = evaluation_folder(
        tmp_path, parcels.contract, parcels.rows, parcels.models, returns.models["prior"], release="r-0"
    )
    assert evaluated(run_verb, base)["champion"] is None
    assert (
        "champion r-0 is not compared: the contract has changed the target, class, shelf\n" in capsys.readouterr().out
    )


def test_a_champion_of_an_older_contract_is_measured_on_rows_of_todays(returns, run_verb, tmp_path):
    """Today's contract has a column more, a wider range and a new category, and one that is read no longer."""
    edits = {"größe (cm)": {"minimum": None}, "shelf": {"categories": (1, 2, 30, 4)}, "class": {"role": "ignored"}}
    columns = [replace(column, **edits.get(column.name, {})) for column in returns.contract.columns]
    today = replace(returns.contract, columns=(*columns, Column("colour", "string", nullable=True)))
    rows = [
        {**row, "shelf": 4, "größe (cm)": -1.0, "colour": "red"} if n % 3 else row for n, row in enumerate(returns.rows)
    ]
    candidates = {"prior": returns.models["prior"]}
    base = evaluation_folder(tmp_path, today, rows, candidates, returns.models["gradient_boosting"], release="r-1")

    current = evaluated(run_verb, base)["champion"]

    assert (current["release"], current["unanswered"]) == ("r-1", 0)
    assert current["metrics"]["roc_auc"] > 0.6


def test_a_champion_that_is_not_the_signed_one_is_refused(returns, run_verb, tmp_path, capsys):
    models = {"prior": returns.models["prior"]}
    base = evaluation_folder(
        tmp_path, returns.contract, returns.rows, models, returns.models["gradient_boosting"], release="r-1"
    )
    settings = base / "processing/input/contract/run.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "champion_sha256": "0" * 64}))
    assert run_verb("evaluate", base) == 1
    assert "manifest.json is not the one that was signed" in capsys.readouterr().err


def test_a_candidate_that_was_changed_is_refused_by_name(returns, run_verb, tmp_path, copy_of, capsys):
    model = copy_of(returns.models["prior"])
    (model / "plan.bin").write_bytes((model / "plan.bin").read_bytes()[:-1] + b"\x7f")
    assert (
        run_verb("evaluate", evaluation_folder(tmp_path / "job", returns.contract, returns.rows, {"prior": model})) == 1
    )
    assert "prior/plan.bin was changed: its sha256 is" in capsys.readouterr().err


def test_no_candidate_or_one_class_only_is_refused(returns, run_verb, tmp_path, capsys):
    base = evaluation_folder(tmp_path / "a", returns.contract, returns.rows, {})
    assert run_verb("evaluate", base) == 1
    rows = [row for row in returns.rows if row["came back?"] == "no"]
    assert run_verb("evaluate", evaluation_folder(tmp_path / "b", returns.contract, rows, returns.models)) == 1
    errors = capsys.readouterr().err
    assert "no candidate's model.tar.gz is under" in errors
    assert "target 'came back?' is the same in all" in errors


# ---- the metrics themselves

SCORED = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])), min_size=2, max_size=40
).filter(lambda pairs: len({label for label, _ in pairs}) == 2)


@settings(max_examples=50, deadline=None)
@given(SCORED)
def test_binary_metrics_are_those_of_scikit_learn(pairs):
    actual, scores = np.array([int(label) for label, _ in pairs]), np.array([score for _, score in pairs])
    found = metrics.measure("binary", actual, scores, [0, 1])
    assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(actual, scores))
    assert found["brier"] == pytest.approx(sk.brier_score_loss(actual, scores))
    assert found["average_precision"] == pytest.approx(sk.average_precision_score(actual, scores))
    assert found["log_loss"] == pytest.approx(sk.log_loss(actual, np.clip(scores, 1e-15, 1 - 1e-15)), rel=1e-6)


def test_multiclass_and_regression_metrics_by_hand():
    shares = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.5, 0.5]])
    found = metrics.measure("multiclass", np.array(["a", "b", "b", "new"]), shares, ["a", "b"])
    assert found["accuracy"] == 0.5
    assert found["log_loss"] == pytest.approx(-np.mean(np.log([0.8, 0.4, 0.7, 1e-15])))
    found = metrics.measure("regression", np.array([1.0, 3.0]), np.array([2.0, 2.0]), [])
    assert found == {"r2": 0.0, "mae": 1.0, "rmse": 1.0}


def test_calibration_error_is_the_gap_between_promise_and_truth():
    came_true = np.tile([1.0, 0.0, 0.0, 0.0], 150)
    assert metrics.calibration_error(np.full(600, 0.25), came_true) == pytest.approx(0.0, abs=0.02)
    assert metrics.calibration_error(np.full(600, 0.75), came_true) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("rows", [30, 80, 400])
def test_a_perfectly_calibrated_model_exceeds_what_chance_allows_once_in_a_hundred_evaluations(rows):
    random = np.random.default_rng(rows)
    exceeded = 0
    for _ in range(400):
        scores = random.beta(1, 2, rows)
        came_true = (random.random(rows) < scores).astype(int)
        exceeded += metrics.calibration_error(scores, came_true) > metrics.calibration_by_chance(scores)
    assert exceeded <= 12


def test_chance_explains_no_large_error_of_many_rows_and_a_bold_model_exceeds_it():
    scores = np.random.default_rng(2).random(20_000)
    assert metrics.calibration_by_chance(scores) < 0.02
    few = scores[:300]
    came_true = (np.random.default_rng(3).random(300) < 0.5).astype(int)
    assert metrics.calibration_error(few, came_true) > metrics.calibration_by_chance(few)
    assert metrics.chance("regression", few, few, []) is None


def test_evaluating_twice_measures_the_same(parcels, run_verb, tmp_path):
    base = evaluation_folder(tmp_path, parcels.contract, parcels.rows, parcels.models)
    first, curves = evaluated(run_verb, base), curves_of(base)
    shutil.rmtree(base / "processing/output")
    second = evaluated(run_verb, base)
    assert curves_of(base) == curves
    for name, one in first["candidates"].items():
        other = second["candidates"][name]
        assert (one["metrics"], one["standard_error"], one["size_mb"]) == (
            other["metrics"],
            other["standard_error"],
            other["size_mb"],
        )
