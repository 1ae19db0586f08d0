"""`fairway report`: one page that answers a product manager, and says what is not known."""

import json
import re
import time
from html import unescape

import pytest

from domain.config.sections import as_dict, read_config
from domain.packed import packed_json
from domain.records import to_item
from fairway.report.gather import report
from fairway.terminal.errors import Failed
from fairway.terminal.progress import Progress
from tests.fairway.commands.test_releases import BEFORE, CHAMPION, ROUTING
from tests.fairway.money.test_cost import templates  # noqa: F401  the reference project's own, synthesised once

IN_A_DAY = int(time.time()) + 86_400
RUN, RELEASE = "train-1", CHAMPION["release"]
HOSTILE = "<script>alert('x')</script>&\".csv"
MEASURED = {
    "metrics": {"roc_auc": 0.7191, "calibration_error": 0.0171},
    "standard_error": 0.0039,
    "p99_ms": 0.4,
    "size_mb": 1.5,
}
EVALUATION = {
    "metric": "roc_auc",
    "rows": 25363,
    "window": {
        "train_start": "2013-01-01T00:00:00Z",
        "evaluate_start": "2013-03-04T00:00:00Z",
        "as_of": "2013-04-01T00:00:00Z",
    },
    "coverage": {
        "first": "2013-03-04T00:00:00Z",
        "last": "2013-03-28T22:00:00Z",
        "age_days": 3.083333,
        "days": 28,
        "missing": [["2013-03-29", "2013-03-31"]],
    },
    "baseline": {"roc_auc": 0.5, "calibration_error": 0.09},
    "candidates": {"logistic_regression": MEASURED, "gradient_boosting": {**MEASURED, "standard_error": None}},
    "champion": {"release": BEFORE["release"], **MEASURED, "metrics": {"roc_auc": 0.7011, "calibration_error": 0.02}},
}
DECISIONS = {"true_positive": 1000, "false_positive": 500, "true_negative": 8000, "false_negative": 500}
LOAD = {"kind": "load", "status": "SUCCEEDED", "first": "2013-01-01T10:00:00Z", "last": "2013-02-01T09:00:00Z"}
COUNTED = {"read": 100, "scored": 97, "quarantined": 3, "written": 97, "seconds": 2.5}


@pytest.fixture
def written(place, templates):  # noqa: F811
    """Writes the report of the stage as it is now; returns what `--json` prints, and the page."""

    def write(synth=lambda folder, stage: templates["local"]):
        with Progress() as progress:
            done = report(place.folder, "local", synth=synth, progress=progress)
        return done.values, (place.folder / "report.html").read_text(encoding="utf-8")

    return write


@pytest.fixture
def busy(place):
    """A champion after another, two files loaded, one batch that adds up and one that does not, some stored answers."""
    place.put(
        "routing",
        item=f"release#{RELEASE}",
        release=RELEASE,
        state="champion",
        run=RUN,
        candidate="logistic_regression",
        reason="keeps every benchmark",
        why="gradient_boosting is slower",
        answers="of 10,000 rows, 1,000 true positives",
        metrics=MEASURED["metrics"],
        p99_ms=0.4,
        size_mb=1.5,
        decisions=DECISIONS,
        created_at="2026-01-02T00:00:00Z",
    )
    place.put(
        "routing",
        item="release#r-2",
        release="r-2",
        state="rejected",
        reason="no better than <the prior>",
        replay={"at": "2026-01-01", "stop": "flips", "why": "flips: 40 %"},
        created_at="2026-01-01",
    )
    place.put("routing", **ROUTING)
    place.put("runs", run="a", file=HOSTILE, accepted=90, quarantined=10, reasons={"null": 9, "maximum": 2}, **LOAD)
    place.put("runs", run="b", file="2.csv", accepted=50, quarantined=1, reasons={"null": 1}, **LOAD)
    place.put("runs", kind="batch", run="batch-1", status="SUCCEEDED", release=RELEASE, **COUNTED)
    place.put("runs", kind="batch", run="batch-2", status="FAILED", release=RELEASE, **{**COUNTED, "written": 96})
    settings = as_dict(read_config(place.folder))
    settings["benchmarks"]["quality"] = 0.61  # as it was agreed then; fairway.toml says otherwise now
    for name, document in (("evaluation.json", EVALUATION), ("settings/config.json", settings)):
        place.aws("s3").put_object(Bucket="lake", Key=f"runs/{RUN}/{name}", Body=json.dumps(document))
    return place


def words(page: str) -> str:
    """What a person reads: the page without its markup."""
    without_style = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", without_style)))


def test_of_a_model_made_elsewhere_it_does_not_say_what_it_learnt_from(busy, written):
    assert "No candidate had learnt from them: they learnt from 2013-01-01 00:00 to " in words(written()[1])
    busy.put(
        "routing",
        item=f"release#{RELEASE}",
        release=RELEASE,
        state="champion",
        run="import-1",
        imported=True,
        candidate="logistic_regression",
    )
    busy.aws("s3").put_object(Bucket="lake", Key="runs/import-1/evaluation.json", Body=json.dumps(EVALUATION))
    said = words(written()[1])
    assert "The model was made elsewhere: only its maker knows whether it has seen these rows." in said
    assert "No candidate had learnt from them" not in said


def test_of_a_table_without_event_time_it_names_no_dates(busy, written):
    random = json.dumps({**EVALUATION, "coverage": None})
    busy.aws("s3").put_object(Bucket="lake", Key=f"runs/{RUN}/evaluation.json", Body=random)
    said = words(written()[1])
    assert "All on the same 25,363 rows, held out at random. No candidate had learnt from them. " in said
    assert "The table has no event time, so nothing shows how well the model does on later rows." in said
    assert "2013-03-04" not in said and "2013-04-01" not in said.replace(RELEASE, "")


def test_it_answers_what_a_product_manager_asks(busy, written):
    values, page = written()
    said = words(page)
    assert (values["champion"], values["releases"], values["unknown"]) == (RELEASE, 2, None)
    assert values["worth"] in said and values["worth"].startswith("The model brings")
    for fact in (
        f"{RELEASE} (logistic_regression) has answered since 2026-01-01 00:00.",
        "Why it was let answer: approved",
        "How it was judged: keeps every benchmark",
        "Why this candidate: gradient_boosting is slower.",
        "Its answers on the held-out rows: of 10,000 rows, 1,000 true positives.",
        "roc_auc at least 0.61 kept 0.7191 0.5 0.7011",
        "calibration error at most 0.08 kept 0.0171 0.09 0.02",
        "roc_auc is 0.7191, standard error 0.0039: between 0.7115 and 0.7267",
        "off by 1.7 percentage points",
        "late = false, probability 0.24",
        "within 1,500 ms",
        f"`fairway rollback` lets {BEFORE['release']} answer again",
        "25,363 rows of 2013-03-04 to 2013-03-28; no row on 3 of 28 days: 2013-03-29 to 2013-03-31.",
        "The newest row is from 2013-02-01 09:00, ",
        "r-2 rejected – 2026-01-01 no better than",
        "140 rows accepted, 11 quarantined, of 2 files.",
        "null 10",
        "maximum 2",
        f"batch-1 SUCCEEDED {RELEASE} 100 97 3 97 yes 2.5",
        f"batch-2 FAILED {RELEASE} 100 97 3 96 no 2.5",
        f"${values['monthly_usd']:,.2f} a month",
        "75 %: a warning",
        "budget $60.00",
        "from aircraft registry (fleet)",
        "How often the fallback answered is unknown",
    ):
        assert fact in said, fact


NEWEST = {
    "release": RELEASE,
    "run": "train-2",
    "rows": 24_021,
    "evaluate_start": "2013-04-03T00:00:00Z",
    "as_of": "2013-05-01T00:00:00Z",
    "metrics": {"roc_auc": 0.6461, "calibration_error": 0.1282},
    "standard_error": 0.0041,
    "p99_ms": 0.4,
    "size_mb": 1.5,
    "broken": ["roc_auc 0.6461, at least 0.65 was agreed"],
}


def test_the_newest_measurement_leads_with_the_benchmark_that_it_broke_in_red(busy, written):
    busy.aws("dynamodb").update_item(
        TableName="flights-local-routing",
        Key={"item": {"S": f"release#{RELEASE}"}},
        UpdateExpression="SET newest = :newest",
        ExpressionAttributeValues=to_item({":newest": NEWEST}),
    )
    values, page = written()
    said = words(page)
    assert values["quality"]["quality"] == 0.6461
    for fact in (
        "quality roc_auc 0.6461 roc_auc 0.6461, at least 0.65 was agreed on rows to 2013-05-01 00:00; 0.7191",
        f"{RELEASE} breaks what was agreed: roc_auc 0.6461, at least 0.65 was agreed.",
        "roc_auc at least 0.61 kept 0.6461 0.7191 0.5 0.7011",
        "calibration error at most 0.08 broken 0.1282 0.0171 0.09 0.02",
        "Newest: 24,021 rows from 2013-04-03 00:00 to 2013-05-01 00:00, measured by train-2.",
        "On the newest rows, to 2013-05-01 00:00: roc_auc is 0.6461, standard error 0.0041",
        "At its release, to 2013-04-01 00:00: roc_auc is 0.7191",
        "By what really happened: not enough outcomes (0).",
    ):
        assert fact in said, fact
    for red in ('<span class="bad">roc_auc 0.6461</span>', '<td class="number bad">0.1282</td>'):
        assert red in page, red


def test_it_says_how_well_the_model_knows_how_sure_it_is_and_draws_what_it_would_be_wrong_in(busy, written):
    covered = {"agreed": 0.9, "rows": 12_681, "share": 0.903, "worst": 0.862, "window": 500}
    covered |= {"certain": 0.75, "wrong": 0.2, "wrong_if_certain": 0.121}
    measured = {"logistic_regression": {**MEASURED, "covered": covered}}
    risk = {"answered": [0.5, 1.0], "wrong": [0.05, 0.2], "worst": [None, 0.31], "window": 500}
    curves = {"candidates": {"logistic_regression": {"risk": risk}}, "champion": None}
    for name, document in (("evaluation", {**EVALUATION, "candidates": measured}), ("curves", curves)):
        busy.aws("s3").put_object(Bucket="lake", Key=f"runs/{RUN}/{name}.json", Body=json.dumps(document))
    _, page = written()
    assert (
        "How well it knows how sure it is, by the older half of these rows on the 12,681 newer ones: "
        "90.3 % of the outcomes lay in the answer's set; 90 % were agreed. In the worst 500 rows in a row it was "
        "86.2 %. 75.0 % of the answers had one possible outcome, and 12.1 % of these were wrong; of all answers "
        "20.0 % were."
    ) in words(page)
    assert page.count("<title>Wrong answers by share answered</title>") == 1


def test_it_names_the_column_by_whose_values_the_fallback_answers(busy, written):
    assert "probability 0.24, the contract's prior, the same for everybody." in words(written()[1])
    confidence = packed_json({"segments": {"column": "carrier", "priors": {}}})
    item = f"release#{RELEASE}"
    busy.put("routing", item=item, release=RELEASE, state="champion", run=RUN, candidate="prior", confidence=confidence)
    said = (
        "the contract's prior; where the champion should have answered, the prior of the row's carrier, if it is known."
    )
    assert said in words(written()[1])


def test_the_share_of_the_fallback_is_counted_from_stored_answers(busy, written):
    dynamodb, table = busy.aws("dynamodb"), "flights-local-answers"
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    try:
        busy.enter(predictions=table)
        for number in range(8):
            source = "fallback" if number == 0 else "model"
            busy.put("answers", id=str(number), entity_id="UA1", source=source, expires_at=IN_A_DAY)
        busy.put("answers", id="expired", entity_id="UA1", source="fallback", expires_at=IN_A_DAY - 2 * 86_400)
        busy.put("answers", id="request#1", answers=b"", expires_at=IN_A_DAY)
        assert "1 of 8 stored answers looked at are the fallback's (12.5 %)." in words(written()[1])
    finally:
        dynamodb.delete_table(TableName=table)


def test_what_people_wrote_is_text_and_no_markup(busy, written):
    _, page = written()
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&#34;.csv" in page
    assert "no better than &lt;the prior&gt;; replay: flips: 40 %" in page
    assert "<script" not in page and "<the prior>" not in page


def test_the_page_fetches_nothing(busy, written):
    _, page = written()
    assert re.findall(r"\b(?:src|href|action|data)=|url\(|@import|<(?:link|iframe|object|img|script)\b", page) == []
    assert "default-src 'none'" in page
    assert set(re.findall(r"https?://[^\"\s<]+", page)) <= {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert page.count("<svg") == page.count("</svg>") == 5  # two charts for wide and narrow screens, and the plot


def test_before_the_first_release_it_says_what_is_not_known(place, written):
    values, page = written()
    said = words(page)
    assert (values["champion"], values["worth"]) == (None, None)
    for fact in (
        "No release answers: the fallback answers everything. Why: nothing released yet.",
        "Not known yet: no release that answers has been measured.",
        "There is no earlier champion to roll back to.",
        "No release yet.",
        "Nothing has been loaded yet.",
        "No batch has been scored yet.",
        "no champion is known here",
        f"${values['monthly_usd']:,.2f} a month",
    ):
        assert fact in said, fact
    assert "None" not in said


def test_without_templates_or_an_evaluation_the_rest_is_told_all_the_same(busy, written):
    busy.aws("s3").delete_object(Bucket="lake", Key=f"runs/{RUN}/evaluation.json")

    def none(folder, stage):
        raise Failed("synth", "stage 'local' cannot be synthesised: <why>")

    values, page = written(synth=none)
    assert values["unknown"] == "stage 'local' cannot be synthesised: <why>"
    assert "Not known: stage &#39;local&#39; cannot be synthesised: &lt;why&gt;" in page
    assert "What its run measured is no longer in the lake." in words(page)
    assert "140 rows accepted" in words(page)


def test_the_command_writes_where_it_is_told(place):
    out = place.folder / "for-the-board.html"
    assert place.values("report", "--out", out)["out"] == str(out)
    assert out.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(("out", "said"), [("none/report.html", "does not exist"), ("", "is a folder")])
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_gathered(place, out, said):
    code, _, err = place.run("report", "--out", place.folder / out)
    assert code == 2 and said in err
    assert len(err.splitlines()) == 1
