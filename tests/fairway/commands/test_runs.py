"""`fairway runs` and `fairway compare`: what was tried, side by side."""

import json
import re
import sys

import pytest

from tests.fairway.report.test_page import Read
from tests.fairway.tracking.runs_of_a_stage import APRIL, FIRST, MAY, copy_run, put_document, put_runs


@pytest.fixture
def tried(place):
    put_runs(place)
    return place


def test_before_the_first_run_the_list_is_empty(place):
    assert place.values("runs") == {"stage": "local", "runs": []}
    code, out, err = place.run("runs")
    assert (code, out) == (0, "no training run yet\n")
    assert "`fairway train" in err and "makes the first" in err


def test_runs_are_listed_the_newest_first_with_what_became_of_them(tried):
    code, out, err = tried.run("runs")
    assert code == 0
    heads, may, april = ([*re.split(r"  +", line)] for line in out.splitlines())
    assert heads == ["run", "learnt from", "to", "judged to", "chosen", "quality", "verdict", "became", "took", "cost"]
    assert may[:4] == [MAY, "2013-01-31", "2013-04-03", "2013-05-01"]
    assert may[4:] == ["logistic_regression", "roc_auc 0.6903", "rejected", "rejected", "5 min", "-"]
    assert april[4:] == ["logistic_regression", "roc_auc 0.7191", "approved", "champion now", "90 s", "-"]
    assert f"{APRIL} {MAY}` shows more" in err
    assert [run["run"] for run in tried.values("runs", "--limit", 1)["runs"]] == [MAY]


def test_a_run_without_an_evaluation_is_listed_as_it_ended(place):
    place.put("runs", kind="train", run="train-1", status="FAILED", started_at="2026-11-28T10:00:00Z", reason="NoRows")
    (run,) = place.values("runs")["runs"]
    assert (run["status"], run["verdict"], run["reason"], run["candidates"]) == ("FAILED", None, "NoRows", [])
    code, out, _ = place.run("runs")
    assert code == 0 and out.splitlines()[1].split() == ["train-1", *["-"] * 5, "failed", "-", "-", "-"]


def test_one_run_is_told_whole_by_its_name_or_that_of_its_release(tried):
    run = tried.values("runs", FIRST)
    assert run == tried.values("runs", APRIL)
    assert (run["data_hash"], run["seed"], run["seconds"]) == ("a" * 16, 7, 90.0)
    assert run["became"]["role"] == "champion" and run["became"]["observed"]["outcomes"] == 0
    assert [len(each["curve"]["cuts"]["threshold"]) <= 202 for each in run["candidates"]] == [True, True]
    code, out, _ = tried.run("runs", APRIL)
    assert code == 0
    for words in (
        r"learnt from +2013-01-01 to 2013-03-04, 52,548 rows",
        r"judged on +2013-03-04 to 2013-04-01, 25,363 rows",
        r"data hash +a{16}",
        r"code +image-1",
        r"why +good <enough>",
        r"became +champion now",
        r"what happened +not enough outcomes \(0\)",
        r"logistic_regression +roc_auc +0.7191",
        r"gradient_boosting +p99 30 ms, at most 25 ms was agreed",
    ):
        assert re.search(words, out), words


def test_two_runs_are_compared_fact_by_fact_and_on_a_page(tried):
    code, out, err = tried.run("compare", FIRST, MAY)
    assert code == 0, err
    assert out.splitlines()[0].endswith("judged on different rows: a difference between them is not a gain\x1b[0m")
    for words in (
        r"data hash +a{16} +b{16} +differs",
        r"contract +0123456789abcdef +0123456789abcdef\n",
        r"logistic_regression +\{\} +\{\"C\": 0.5\}\n",
        r"logistic_regression +roc_auc +0.7191 +0.6903 +-0.0288\n",
        rf"{FIRST} +roc_auc +- +0.6999 +-\n",
        r"recall by false positive rate +at 0.1 +0\.\d+ +0\.\d+",
    ):
        assert re.search(words, out), words
    page = (tried.folder / "compare.html").read_bytes()
    assert len(page) < 300_000
    assert tried.run("compare", FIRST, MAY)[0] == 0
    assert (tried.folder / "compare.html").read_bytes() == page


def test_the_page_draws_each_curve_for_both_and_fetches_nothing(tried):
    values = tried.values("compare", APRIL, MAY, "--out", tried.folder / "two.html")
    assert (values["same_rows"], [run["run"] for run in values["runs"]]) == (False, [APRIL, MAY])
    page = (tried.folder / "two.html").read_text(encoding="utf-8")
    read = Read(page)
    assert (page.count("<svg"), page.count("<polyline")) == (6, 15)  # three kinds; two models, and two and a champion
    assert "good &lt;enough&gt;" in page and "script" not in read.elements
    assert re.findall(r"\b(?:src|href|action|data)=|url\(|@import|<(?:link|iframe|object|img|script)\b", page) == []
    for words in ("ROC", "Precision and recall", "Calibration", "not a gain"):
        assert words in read.text


def test_runs_that_were_judged_on_the_same_rows_are_compared_without_a_warning(tried):
    again = "train-20130401-20261128T120000Z"
    copy_run(tried, APRIL, again)
    values = tried.values("compare", APRIL, again)
    assert values["same_rows"] is True
    page = (tried.folder / "compare.html").read_text(encoding="utf-8")
    assert "No curve of this run was stored." in page and "not a gain" not in page


def test_a_regression_is_drawn_in_the_unit_of_its_target(tried):
    bins = {"rows": [2, 2], "predicted": [-10.0, 40.0], "happened": [0.0, 55.0]}
    for run in (APRIL, MAY):
        put_document(
            tried, run, "curves.json", {"candidates": {"logistic_regression": {"calibration": bins}}, "champion": None}
        )
    code, out, _ = tried.run("compare", APRIL, MAY)
    page = (tried.folder / "compare.html").read_text(encoding="utf-8")
    assert code == 0 and "recall" not in out
    assert page.count("<svg") == 2 and ">58.2</text>" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runs", "r-none"], "'r-none': must be a training run or its release; `fairway runs"),
        (["compare", APRIL, "none"], "'none': must be a training run or its release"),
        (["compare", APRIL, FIRST], "are the same run; `fairway runs"),
        (["compare", APRIL, MAY, "--out", "/"], "--out /: is a folder"),
        (["runs", "--limit", "0"], "Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_question_is_refused_with_what_to_do(tried, words, said):
    code, out, err = tried.run(*words)
    assert (code, out) == (2, "") and said in err
    assert not (tried.folder / "compare.html").exists()


def test_json_has_the_reason_of_a_refusal(tried):
    code, out, _ = tried.run("runs", "none", "--json")
    assert code == 2 and json.loads(out)["error"] == "no_run"


def test_without_mlflow_the_export_names_what_to_install(tried, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    code, out, err = tried.run("runs", "--mlflow", "sqlite:///mlflow.db")
    assert (code, out) == (2, "") and "--mlflow needs MLflow: install the extra, `uv sync --extra mlflow`" in err
