"""monitor: what was captured in a window, counted by release in the bins of what the release was judged on."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.watch.bins import count, from_dict
from lambdas.parquet import Kind, parquet
from model_code.watch.answers import BLOCK_COLUMNS
from tests.model_code.folders import evaluation_folder, write_json

RUN = {
    "run": "watch-1",
    "window": "2024-03-01",
    "start": "2024-03-01T00:00:00Z",
    "end": "2024-03-02T00:00:00Z",
    "as_of": "2024-03-02T00:30:00Z",
}
KINDS = {name: Kind.NUMBER if name in ("probability", "latency_ms") else Kind.TEXT for name in BLOCK_COLUMNS}
ANSWER = {"release": "r-1", "source": "model", "reason": "champion", "latency_ms": 12.0}


def answers(rows, **values):
    """Rows as capture writes them."""
    return [{**ANSWER, "features": json.dumps(row, ensure_ascii=False), **values} for row in rows]


def folder_of(base, files: dict, references: dict):
    settings = base / "processing/input/contract"
    write_json(settings / "run.json", RUN)
    write_json(settings / "references.json", references)
    for name, rows in files.items():
        file = base / "processing/input/captured" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(rows if isinstance(rows, bytes) else parquet(KINDS, rows))
    return base


def counted(run_verb, base) -> dict:
    assert run_verb("monitor", base) == 0
    return json.loads((base / "processing/output/counts/counts.json").read_text())


@pytest.fixture
def reference(project, run_verb, tmp_path) -> dict:
    base = evaluation_folder(tmp_path / "evaluation", project.contract, project.rows, project.models)
    assert run_verb("evaluate", base) == 0
    file = base / "processing/output/evaluation/reference/gradient_boosting.json"
    return json.loads(file.read_text())


def features_of(project) -> list[dict]:
    names = [column.name for column in project.contract.features]
    return [{name: row[name] for name in names if row.get(name) is not None} for row in project.rows[:300]]


def answer_of(project, row: dict) -> dict:
    """An answer of the task, as it is stored."""
    if project.task == "binary":
        return {"prediction": "true", "probability": 0.75}
    return {"prediction": json.dumps(row[project.contract.target.name])}


def test_each_feature_and_answer_is_counted_in_the_bins_of_the_release(project, reference, run_verb, tmp_path):
    rows = features_of(project)
    given = [{**answer, **answer_of(project, row)} for answer, row in zip(answers(rows), project.rows, strict=False)]
    files = {"hour=2024-03-01T08/a.parquet": given[:100], "hour=2024-03-01T09/b.parquet": given[100:]}
    window = counted(run_verb, folder_of(tmp_path, files, {"r-1": reference}))
    release = window["releases"]["r-1"]
    assert (window["rows"], window["unparsed"], window["set_aside"], release["rows"]) == (300, 0, [], 300)
    assert release["features"].keys() == reference["features"].keys()
    for name, column in release["features"].items():
        bins = from_dict(reference["features"][name]["bins"])
        assert column["reference"] == reference["features"][name]["counts"]
        assert column["window"] == count(bins, (row.get(name) for row in rows)), name
        assert (column["labels"], column["ordered"]) == (bins.labels, bins.ordered)
    bins = from_dict(reference["prediction"]["bins"])
    values = [one["probability"] if project.task == "binary" else json.loads(one["prediction"]) for one in given]
    assert release["prediction"]["window"] == count(bins, values)
    assert ("scores" in release) == (project.task == "binary")


def test_probabilities_are_counted_by_their_span_and_the_decision(run_verb, tmp_path):
    rows = answers([{"x": 0.5}] * 3, prediction="true", probability=0.91)
    rows += answers([{"x": 0.5}] * 2, prediction="true", probability=1.0)
    rows += answers([{"x": 0.5}], prediction="false", probability=0.0)
    rows += answers([{"x": 0.5}], prediction="false", probability=None)
    rows += answers([{"x": 0.5}], source="fallback", prediction="false", probability=0.3)
    files = {"a.parquet": rows, "b.parquet": rows}
    scores = counted(run_verb, folder_of(tmp_path, files, {"r-1": small_reference()}))["releases"]["r-1"]["scores"]
    assert {name: {span: rows for span, rows in enumerate(spans) if rows} for name, spans in scores.items()} == {
        "yes": {45: 6, 49: 4},
        "no": {0: 2},
    }


def small_reference() -> dict:
    column = {"type": "float", "bins": {"edges": [0.0, 1.0, 2.0]}, "counts": [50, 50, 0, 0]}
    texts = {"type": "string", "bins": {"values": ["a", "b"], "others": []}, "counts": [60, 40, 0, 0, 0]}
    shares = {"type": "float", "bins": {"edges": [0.0, 0.5, 1.0]}, "counts": [70, 30, 0, 0]}
    return {"rows": 100, "features": {"x": column, "c": texts}, "prediction": shares, "wrong": 10, "value_usd": None}


def test_fallbacks_are_counted_by_cause_and_are_no_answers_of_the_model(run_verb, tmp_path):
    rows = answers([{"x": 0.5, "c": "a"}] * 4, prediction="true", probability=0.9)
    rows += answers([{"x": 1.5}] * 2, source="fallback", cause="LATE", prediction="false", probability=0.3)
    rows += answers([{"x": 1.5}], release=None, source="fallback", reason="no release yet", cause="NO_RELEASE")
    window = counted(run_verb, folder_of(tmp_path, {"a.parquet": rows}, {"r-1": small_reference()}))
    release, nobody = window["releases"]["r-1"], window["releases"]["none"]
    assert (release["rows"], release["fallbacks"]) == (6, {"LATE": 2})
    assert release["features"]["x"]["window"] == [4, 2, 0, 0]
    assert release["features"]["c"]["window"] == [4, 0, 0, 0, 2]
    assert release["prediction"]["window"] == [0, 4, 0, 0]
    assert 12.0 <= release["latency_ms"]["p50"] <= 12.0 * 1.2
    assert nobody == {"rows": 1, "fallbacks": {"NO_RELEASE": 1}, "features": {}, "latency_ms": nobody["latency_ms"]}


def test_a_feature_of_another_type_is_unseen_and_features_that_are_no_json_are_told(run_verb, tmp_path):
    rows = answers([{"x": "far", "c": 7}, {"x": 0.5, "c": "b"}, {"x": None, "c": None, "z": [1]}, {"x": [1], "c": "a"}])
    rows += [{**ANSWER, "features": "{"}, {**ANSWER, "features": "7"}]
    window = counted(run_verb, folder_of(tmp_path, {"a.parquet": rows}, {"r-1": small_reference()}))
    release = window["releases"]["r-1"]
    assert (window["rows"], window["unparsed"]) == (6, 2)
    assert release["features"]["x"]["window"] == [1, 0, 2, 1]
    assert release["features"]["c"]["window"] == [1, 1, 0, 1, 1]


def test_a_truncated_file_is_set_aside_and_the_others_count(run_verb, tmp_path):
    whole = parquet(KINDS, answers([{"x": 0.5, "c": "a"}] * 10, prediction="true", probability=0.9))
    damaged = whole.replace(whole[200:260], bytes(60), 1)  # its end is whole, its pages are not
    files = {
        "hour=2024-03-01T08/a.parquet": whole,
        "hour=2024-03-01T08/b.parquet": whole[: len(whole) // 2],
        "hour=2024-03-01T08/c.parquet": b"",
        "hour=2024-03-01T08/d.parquet": damaged,
        "hour=2024-03-01T09/e.parquet": whole,
    }
    window = counted(run_verb, folder_of(tmp_path, files, {"r-1": small_reference()}))
    assert window["rows"] == 20 == sum(window["releases"]["r-1"]["features"]["x"]["window"])
    aside = [one["key"] for one in window["set_aside"]]
    assert aside == ["hour=2024-03-01T08/b.parquet", "hour=2024-03-01T08/c.parquet", "hour=2024-03-01T08/d.parquet"]
    assert all(one["reason"] for one in window["set_aside"])


def test_a_file_without_the_columns_of_captured_answers_is_set_aside(run_verb, tmp_path):
    base = folder_of(tmp_path, {}, {"r-1": small_reference()})
    file = base / "processing/input/captured/a.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.table({"release": ["r-1"]}), file)
    window = counted(run_verb, base)
    assert (window["rows"], [one["key"] for one in window["set_aside"]]) == (0, ["a.parquet"])


def test_a_release_that_has_no_reference_is_counted_and_not_compared(run_verb, tmp_path):
    rows = answers([{"x": 0.5}], release="r-0", prediction="true", probability=0.9)
    window = counted(run_verb, folder_of(tmp_path, {"a.parquet": rows}, {}))
    release = window["releases"]["r-0"]
    assert (release["rows"], release["features"], "prediction" in release) == (1, {}, False)


def test_the_same_window_makes_the_same_bytes(run_verb, tmp_path):
    rows = answers([{"x": number / 100, "c": "ab"[number % 2]} for number in range(200)], probability=0.2)
    texts = []
    for name in ("one", "two"):
        base = folder_of(tmp_path / name, {"a.parquet": rows}, {"r-1": small_reference()})
        counted(run_verb, base)
        texts.append((base / "processing/output/counts/counts.json").read_bytes())
    assert texts[0] == texts[1]
