"""replay: what was captured, asked again of the champion and of the release that is to follow it."""

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.records import from_attribute, to_attribute
from domain.request.answers import answer_from_score
from domain.request.captured import NUMBERS, OTHER_NUMBERS, OTHER_TEXTS, TEXTS, json_text
from model_code.__main__ import main
from model_code.answers.answering import respond
from model_code.artefact.archive import pack
from model_code.artefact.folder import open_artefact
from tests.model_code.folders import WINDOW, sha256_of, training_folder, write_rows, write_settings

SCHEMA = pa.schema(
    [(name, pa.string()) for name in (*TEXTS, *OTHER_TEXTS)]
    + [(name, pa.float64()) for name in (*NUMBERS, *OTHER_NUMBERS)]
)
CHAMPION, RELEASE = "gradient_boosting", "logistic_regression"


def captured(contract, model, rows, **changed) -> list[dict]:
    """Rows as predict stored them with the model's answers, and capture wrote them."""
    artefact = open_artefact(model)
    features = [{column.name: row.get(column.name) for column in contract.features} for row in rows]
    body = json.dumps({"instances": features, "contract": contract.hash}).encode()
    document = json.loads(respond(artefact, body).body)
    return [
        _captured(contract, number, row, score, document.get("classes")) | changed
        for number, (row, score) in enumerate(zip(features, document["predictions"], strict=True))
    ]


def _captured(contract, number, features, score, classes) -> dict:
    answer = from_attribute(to_attribute(answer_from_score(contract, score, classes=classes)))
    return {
        "id": f"p-{number:04d}",
        "entity_id": f"e-{number}",
        "made_at": f"2024-03-01T{number // 60 % 24:02d}:{number % 60:02d}:00Z",
        "release": "r-1",
        "source": "model",
        "prediction": json_text(answer["prediction"]),
        "probability": answer["probability"],
        "probabilities": json_text(answer["probabilities"]) if "probabilities" in answer else None,
        "features": json.dumps(features),
        "contract_hash": contract.hash,
    }


@pytest.fixture
def replayed(run_verb, tmp_path):
    """Replay captured rows by a champion and a release, folders of models; the summary and the rows that were kept."""

    def replayed(contract, rows, *, champion, release, source="captured", most=10_000, threshold=0.5):
        processing = tmp_path / "processing/input"
        hashes = {"release_sha256": sha256_of(release), "champion_sha256": sha256_of(champion)}
        names = {"release": "r-2", "champion": "r-1", "champion_threshold": threshold}
        run = {**names, "captured_by": "", "seconds": 600, "source": source, "rows": most, **hashes, **WINDOW}
        write_settings(processing / "contract", contract, run)
        if source == "captured":
            for hour in range(2):
                file = processing / f"rows/hour=2024-03-01T0{hour}/a.parquet"
                file.parent.mkdir(parents=True)
                pq.write_table(pa.Table.from_pylist(rows[hour::2], SCHEMA), file)
        else:
            write_rows(processing / "rows/rows/month=none/a-00000.parquet", contract, rows)
        for name, model in (("champion", champion), ("release", release)):
            (processing / name).mkdir()
            pack(model, processing / name / "model.tar.gz")
        assert run_verb("replay", tmp_path) == 0
        output = tmp_path / "processing/output/replay"
        return json.loads((output / "summary.json").read_text()), pq.read_table(output / "rows.parquet").to_pylist()

    return replayed


def test_the_champion_repeats_its_answers_to_the_last_bit_and_itself_flips_nothing(project, replayed):
    model = project.models[CHAMPION]
    rows = captured(project.contract, model, project.rows[:120])
    summary, kept = replayed(project.contract, rows, champion=model, release=model)
    names = ("rows", "repeated", "nearly", "differing", "difference", "errors", "psi", "flips", "segments")
    assert {name: summary[name] for name in names} == {
        "rows": 120,
        "repeated": 120,
        "nearly": 0,
        "differing": 0,
        "difference": None,
        "errors": 0,
        "psi": 0.0,
        "flips": [],
        "segments": [],
    }
    assert summary["flipped"] == (None if project.task == "regression" else 0)
    assert (summary["first"], summary["last"]) == ("2024-03-01T00:00:00Z", "2024-03-01T01:59:00Z")
    assert sorted(row["id"] for row in kept) == [row["id"] for row in rows]
    assert all(row["champion"] == row["release"] for row in kept)
    for side in ("champion", "release"):
        assert 0 < summary["timed"][side]["p50_ms"] <= summary["timed"][side]["p99_ms"]


def test_the_requests_of_the_busiest_minutes_are_left_for_the_endpoints_with_what_the_models_read(
    project, replayed, tmp_path
):
    model = project.models[CHAMPION]
    rows = captured(project.contract, model, project.rows[:120])
    for row in rows:
        row["features"] = json.dumps({**json.loads(row["features"]), "of no model": 1})
    replayed(project.contract, rows, champion=model, release=model)
    left = json.loads((tmp_path / "processing/output/paced/paced.json").read_text())
    assert (len(left), left[0]["after_s"], left[-1]["after_s"]) == (11, 0.0, 600.0)  # one a minute
    features = {column.name for column in project.contract.features}
    assert all(
        set(row) <= features and request["contract_hash"] == project.contract.hash
        for request in left
        for row in request["rows"]
    )


def test_another_model_flips_some_decisions_which_are_kept_with_both(returns, replayed):
    rows = captured(returns.contract, returns.models[CHAMPION], returns.rows[:400])
    summary, kept = replayed(returns.contract, rows, champion=returns.models[CHAMPION], release=returns.models["prior"])
    differ = [row for row in kept if row["champion"] != row["release"]]
    assert 0 < summary["flipped"] == len(differ) < 400
    assert sorted((one["id"], one["champion"], one["candidate"]) for one in summary["flips"]) == sorted(
        (row["id"], row["champion"], row["release"]) for row in differ
    )
    assert (summary["repeated"], summary["psi_p"] < 0.001, summary["errors"]) == (400, True, 0)
    assert {one["column"] for one in summary["segments"]} <= {"shelf", "1st.order"} and summary["segments"]


def test_a_champion_with_a_threshold_of_its_own_decides_by_it(returns, replayed):
    model = returns.models[CHAMPION]
    rows = captured(returns.contract, model, returns.rows[:200])
    summary, kept = replayed(returns.contract, rows, champion=model, release=model, threshold=0.0)
    assert {row["champion"] for row in kept} == {"true"}
    assert (summary["repeated"], summary["flipped"]) == (200, sum(row["release"] == "false" for row in kept))


def test_one_stored_feature_that_is_not_what_the_model_was_asked_is_skew(returns, replayed):
    rows = captured(returns.contract, returns.models[CHAMPION], returns.rows[:60])
    changed = json.loads(rows[7]["features"])
    rows[7]["features"] = json.dumps({**changed, "größe (cm)": 150.0 if (changed["größe (cm)"] or 0) > 170 else 199.0})
    summary, _ = replayed(returns.contract, rows, champion=returns.models[CHAMPION], release=returns.models[RELEASE])
    assert (summary["differing"], summary["repeated"], summary["difference"]["id"]) == (1, 59, "p-0007")
    assert json.loads(summary["difference"]["stored"]) == [rows[7]["probability"]]


@pytest.mark.parametrize(("source", "counted"), [("model", (0, 0, 1)), ("function", (1, 1, 0))])
def test_the_last_bit_counts_where_the_endpoint_answered_and_not_where_another_processor_did(
    returns, replayed, source, counted
):
    (row,) = captured(returns.contract, returns.models[CHAMPION], returns.rows[1:2], source=source)
    row["probability"] *= 1 + 1e-15 * 4
    summary, _ = replayed(returns.contract, [row], champion=returns.models[CHAMPION], release=returns.models[RELEASE])
    assert (summary["repeated"], summary["nearly"], summary["differing"]) == counted


def test_answers_of_others_and_fallbacks_are_asked_again_and_prove_nothing_of_the_champion(returns, replayed):
    model = returns.models[CHAMPION]
    others = captured(returns.contract, model, returns.rows[:10], release="r-0", probability=0.123)
    fallbacks = captured(returns.contract, model, returns.rows[10:20], source="fallback", probability=0.4)
    summary, _ = replayed(returns.contract, others + fallbacks, champion=model, release=model)
    assert (summary["rows"], summary["repeated"], summary["differing"]) == (20, 0, 0)


def test_rows_of_an_older_contract_are_mapped_where_they_can_be_and_what_cannot_is_named(returns, replayed):
    model = returns.models[CHAMPION]
    rows = captured(returns.contract, model, returns.rows[:30], contract_hash="an older one", release="r-0")
    for number, row in enumerate(rows):
        features = json.loads(row["features"])
        features["colour"] = "red"  # which no model reads
        features.pop("größe (cm)" if number < 20 else "shelf")
        row["features"] = json.dumps(features)
    summary, _ = replayed(returns.contract, rows, champion=model, release=model)
    assert (summary["rows"], summary["filled"], summary["unmapped"]) == (20, {"größe (cm)": 20}, {"shelf": 10})
    assert summary["errors"] == 0


def test_of_many_rows_each_hour_gives_its_part(returns, replayed):
    model = returns.models[CHAMPION]
    rows = captured(returns.contract, model, returns.rows[:1000])
    summary, kept = replayed(returns.contract, rows, champion=model, release=model, most=100)
    assert (summary["rows"], {int(row["id"][2:]) % 2 for row in kept}) == (100, {0, 1})


def test_without_captured_rows_the_evaluation_window_is_replayed_and_named(project, replayed):
    models = project.models
    summary, kept = replayed(
        project.contract,
        project.rows,
        champion=models[CHAMPION],
        release=models[RELEASE],
        source="evaluation",
        most=100,
    )
    assert (summary["source"], summary["repeated"] + summary["differing"]) == ("evaluation", 0)
    assert 50 <= summary["rows"] == len(kept) <= 200
    assert summary["errors"] == 0


def test_a_row_that_the_champion_answers_and_the_release_does_not_is_an_error_without_its_values(
    returns, replayed, tmp_path
):
    """The champion's contract allows what the release's refuses: a shelf of a type that it does not know."""
    contract = replace(
        returns.contract,
        columns=tuple(replace(one, type="string") if one.name == "shelf" else one for one in returns.contract.columns),
    )
    champion = tmp_path / "champion of texts"
    rows = [{**row, "shelf": f"shelf {row['shelf']}"} for row in returns.rows]
    columns = tuple(replace(one, categories=None) if one.name == "shelf" else one for one in contract.columns)
    contract = replace(contract, columns=columns)
    base = training_folder(champion, contract, rows, "gradient_boosting")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAGEMAKER_BASE_DIR", str(base))
        assert main(["train"]) == 0
    stored = captured(contract, base / "model", rows[:20])
    summary, kept = replayed(contract, stored, champion=base / "model", release=returns.models[RELEASE])
    assert (summary["rows"], summary["errors"], summary["repeated"]) == (20, 20, 20)
    assert summary["reasons"] == {"shelf is refused": 20}
    assert {row["release"] for row in kept} == {'{"error": "shelf is refused"}'}
    assert (summary["flipped"], summary["psi"]) == (0, 0.0)
