"""score: every row of every shard is answered once, in order, or is in quarantine; the counts add up."""

import gzip
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from domain.contract.keys import entity_id
from domain.contract.schema import Column
from domain.contract.values import check_row
from domain.records import batch_prediction_id, to_item
from domain.request.answers import answer_from_score, fallback_answer
from domain.timestamps import iso, parse_timestamp
from model_code.answers.answering import answer, respond
from model_code.artefact.folder import open_artefact
from model_code.batch.block import Job
from model_code.batch.segment import Segment
from model_code.rows.blocks import Block
from tests.model_code.folders import AS_OF, SCORE_RUN, scoring_folder, write_rows
from tests.model_code.scored import outputs, predictions, results, summaries, write_csv


def only_summary(base, shard):
    """Of a shard that is one segment."""
    (summary,) = summaries(base)[shard]
    assert (summary["first_row"], summary["last"]) == (1, True)
    return summary


def write_lines(file, contract, rows):
    file.write_text("\n".join(json.dumps(row) for row in rows))


def expected_results(contract, artefact, rows, shard):
    """What the row check, the scorer and domain/answers say, row by row."""
    expected = []
    for number, row in enumerate(rows, 1):
        clean, problems = check_row(contract, row, with_target=False)
        if problems:
            continue
        (score,), _ = answer(contract, artefact.scorer, [row])
        moment = clean[contract.event_time.name] if contract.event_time else None
        expected.append(
            {
                "id": batch_prediction_id(SCORE_RUN["run"], shard, number),
                "entity_id": entity_id(contract, clean),
                "event_time": moment and iso(parse_timestamp(moment)),
                "made_at": AS_OF,
                "run": SCORE_RUN["run"],
                "release": SCORE_RUN["release"],
                "role": "champion",
                "source": "model",
                "reason": None,
                **answer_from_score(contract, score, classes=artefact.manifest["classes"]),
            }
        )
    return expected


def test_a_named_file_has_the_same_ids_in_every_run(project, run_verb, tmp_path):
    found = {}
    for run in ("batch-1", "batch-2"):
        base = scoring_folder(tmp_path / run, project.contract, None)
        named = {"run": run, "identities": {"new.jsonl": "release/new.jsonl/etag"}}
        (base / "processing/input/contract/run.json").write_text(json.dumps({**SCORE_RUN, **named}))
        for file in ("new.jsonl", "other.jsonl"):
            write_lines(base / "processing/input/rows" / file, project.contract, project.rows[:3])
        assert run_verb("score", base) == 0
        found[run] = [[line["id"] for line in results(base, file)] for file in ("new.jsonl", "other.jsonl")]
    (new, other), (new_again, other_again) = found["batch-1"], found["batch-2"]
    assert new == new_again
    assert not set(other) & set(other_again)
    assert new == [batch_prediction_id("release/new.jsonl/etag", "new.jsonl", row) for row in range(1, len(new) + 1)]


def test_each_row_is_answered_in_order_as_the_rules_say(project, run_verb, tmp_path):
    artefact = open_artefact(project.models["gradient_boosting"])
    base = scoring_folder(tmp_path, project.contract, project.models["gradient_boosting"])
    write_lines(base / "processing/input/rows/part.jsonl", project.contract, project.rows[:330])
    assert run_verb("score", base) == 0
    expected = expected_results(project.contract, artefact, project.rows[:330], "part.jsonl")
    found = results(base, "part.jsonl")
    assert found == [pytest.approx(one) if project.task == "regression" else one for one in expected]
    table = predictions(base, "part.jsonl")
    assert table["row_number"].to_pylist() == list(range(1, 331))
    for name in ("id", "entity_id", "event_time", "prediction", "probability", "source"):
        assert table[name].to_pylist() == [line[name] for line in found]
    if project.task == "multiclass":
        assert [dict(pairs) for pairs in table["probabilities"].to_pylist()] == [
            line["probabilities"] for line in found
        ]
    written = outputs(base)
    assert summaries(base) == {
        "part.jsonl": [
            {
                "shard": "part.jsonl",
                "release": SCORE_RUN["release"],
                "first_row": 1,
                "next_row": 331,
                "last": True,
                "read": 330,
                "scored": 330,
                "quarantined": 0,
                "chunks": 4,
                "reasons": {},
                "files": {name: len(content) for name, content in written.items() if not name.startswith("summary/")},
            }
        ]
    }
    assert min(written) == "predictions/part.jsonl-000000000001.parquet"


def test_rows_of_a_newer_contract_are_answered_by_the_contract_of_the_model(parcels, run_verb, tmp_path):
    """A new category is unseen, a wider range too; a new column is not read, and one that is ignored now still is."""
    edits = {"from": {"categories": ("A", "B", "C", "D")}, "weight": {"minimum": None, "role": "ignored"}}
    columns = [replace(column, **edits.get(column.name, {})) for column in parcels.contract.columns]
    newer = replace(parcels.contract, columns=(*columns, Column("colour", "string", nullable=True)))
    rows = [{**row, "from": "D", "weight": -1.0, "colour": "red"} for row in parcels.rows[:20]] + parcels.rows[20:40]
    base = scoring_folder(tmp_path, newer, parcels.models["gradient_boosting"])
    write_lines(base / "processing/input/rows/part.jsonl", newer, rows)

    assert run_verb("score", base) == 0

    artefact = open_artefact(parcels.models["gradient_boosting"])
    features = [{name: row[name] for name in ("weight", "from")} for row in rows]
    expected = artefact.scorer.score_lists(features)
    lines = results(base, "part.jsonl")
    assert [list(line["probabilities"].values()) for line in lines] == expected
    assert {line["source"] for line in lines} == {"model"}


def test_every_kind_of_file_gets_the_same_answers(parcels, run_verb, tmp_path):
    base = scoring_folder(tmp_path, parcels.contract, parcels.models["gradient_boosting"])
    rows, folder = parcels.rows[:150], base / "processing/input/rows"
    write_csv(folder / "a.csv", parcels.contract, rows)
    write_lines(folder / "b.jsonl", parcels.contract, rows)
    write_rows(folder / "c.parquet", parcels.contract, rows)
    (folder / "sub").mkdir()
    (folder / "sub/a.csv.gz").write_bytes(gzip.compress((folder / "a.csv").read_bytes()))
    assert run_verb("score", base) == 0
    answers = [
        [{**line, "id": None} for line in results(base, shard)]
        for shard in ("a.csv", "b.jsonl", "c.parquet", "sub~a.csv.gz")
    ]
    assert answers[0] == answers[1] == answers[2] == answers[3] and len(answers[0]) == 150
    assert set(summaries(base)) == {"a.csv", "b.jsonl", "c.parquet", "sub/a.csv.gz"}
    ids = {line["id"] for shard in ("a.csv", "b.jsonl", "c.parquet", "sub~a.csv.gz") for line in results(base, shard)}
    assert len(ids) == 600


def test_bad_rows_are_quarantined_and_the_others_keep_their_identity(parcels, run_verb, tmp_path):
    rows = [dict(row) for row in parcels.rows[:250]]
    rows[3]["weight"], rows[120]["from"], rows[200]["sent"] = -1, "Z", "never"
    base = scoring_folder(tmp_path, parcels.contract, parcels.models["gradient_boosting"])
    write_csv(base / "processing/input/rows/part.csv", parcels.contract, rows)
    assert run_verb("score", base) == 0
    artefact = open_artefact(parcels.models["gradient_boosting"])
    assert results(base, "part.csv") == expected_results(parcels.contract, artefact, rows, "part.csv")
    quarantine = pq.read_table(base / "processing/output/quarantine/part.csv-000000000001.parquet").to_pylist()
    assert [row["row_number"] for row in quarantine] == [4, 121, 201]
    assert [json.loads(row["problems"])[0]["rule"] for row in quarantine] == ["minimum", "category", "type"]
    summary = only_summary(base, "part.csv")
    assert summary["reasons"] == {"minimum": 1, "category": 1, "type": 1}
    assert summary["read"] == summary["scored"] + summary["quarantined"] == 250


def test_a_model_that_is_not_the_signed_one_scores_nothing(parcels, run_verb, tmp_path, capsys):
    base = scoring_folder(tmp_path, parcels.contract, parcels.models["gradient_boosting"], artefact_sha256="0" * 64)
    write_csv(base / "processing/input/rows/part.csv", parcels.contract, parcels.rows[:10])
    assert run_verb("score", base) == 1
    assert "manifest.json is not the one that was signed" in capsys.readouterr().err
    assert not list((base / "processing/output").rglob("*.parquet"))


def test_without_a_model_the_prior_answers_and_says_so(project, run_verb, tmp_path):
    base = scoring_folder(tmp_path, project.contract, None)
    write_lines(base / "processing/input/rows/part.jsonl", project.contract, project.rows[:120])
    assert run_verb("score", base) == 0
    shared = {
        "release": None,
        "role": None,
        "source": "fallback",
        "reason": "no release yet",
        **fallback_answer(project.contract),
    }
    lines = results(base, "part.jsonl")
    assert len(lines) == 120
    assert all({name: line[name] for name in shared} == shared for line in lines)
    assert only_summary(base, "part.jsonl")["release"] is None


def test_a_row_that_the_model_cannot_answer_is_answered_by_the_prior(rents, run_verb, tmp_path):
    """A number that the contract allows, beyond float64 once the model multiplies it."""
    model = rents.models["logistic_regression"]
    rows = [rents.rows[0], {**rents.rows[1], "m²": 1e308}]
    base = scoring_folder(tmp_path, rents.contract, model)
    write_lines(base / "processing/input/rows/part.jsonl", rents.contract, rows)
    assert run_verb("score", base) == 0
    good, bad = results(base, "part.jsonl")
    assert (good["source"], good["release"]) == ("model", SCORE_RUN["release"])
    assert (bad["source"], bad["release"], bad["prediction"]) == ("fallback", None, 700.0)
    assert bad["reason"] == "the model has no finite answer to this row"
    served = json.loads(respond(open_artefact(model), json.dumps({"instances": rows}).encode()).body)["predictions"]
    assert served == [pytest.approx(good["prediction"]), {"error": bad["reason"]}]


def test_an_answer_too_large_for_the_table_is_none_and_spoils_no_other(rents, run_verb, tmp_path):
    """One of them would fail the whole file of results where they are written."""
    rows = [rents.rows[0], {**rents.rows[1], "m²": 1e130}, rents.rows[2]]
    base = scoring_folder(tmp_path, rents.contract, rents.models["logistic_regression"])
    write_lines(base / "processing/input/rows/part.jsonl", rents.contract, rows)
    assert run_verb("score", base) == 0
    found = results(base, "part.jsonl")
    assert [line["source"] for line in found] == ["model", "fallback", "model"]
    assert all(to_item(line) for line in found)


class Unsure:
    """A model without an answer to every second row."""

    def __init__(self, width):
        self.width = width

    def score_batch(self, batch, *, refusals):
        scores = np.full((batch.num_rows, self.width), 1 / self.width)
        scores[1::2] = np.nan
        return scores


@pytest.mark.parametrize("kept", [5, 1, 0])
def test_a_column_that_is_never_empty_is_not_so_in_any_row_of_any_task(project, tmp_path, kept):
    """Not without a moment, not without an answer, and not where all rows are in quarantine; Arrow would say so."""
    columns = (replace(one, nullable=one.nullable or one.role == "event_time") for one in project.contract.columns)
    contract = replace(project.contract, columns=tuple(columns))
    moment = {contract.event_time.name: None} if contract.event_time else {}
    rows = [{**row, **moment} for row in project.rows[:kept]] + [{}]
    classes = {"multiclass": [1, 2, 3], "binary": [0, 1]}.get(project.task, [])
    artefact = SimpleNamespace(contract=contract, scorer=Unsure(len(classes) or 1), manifest={"classes": classes})
    job = Job(contract, artefact, 0.5, 2, "run", {}, AS_OF, "r-1", True, tmp_path)
    checked, made = job.score("part", 1, Block(rows, 1, False))
    made.validate(full=True)
    assert (len(made), len(checked.quarantined)) == (kept, 1)
    never = [field.name for field in made.schema if not field.nullable]
    assert never == ["row_number", "id", "entity_id", "made_at", "run", "source", "prediction"]
    assert [made[name].null_count for name in never] == [0] * 7
    Segment(job, tmp_path / "output", "part", 1).write(checked, made)


def test_a_bad_shard_is_named_and_the_good_ones_are_done(parcels, run_verb, tmp_path, capsys):
    base = scoring_folder(tmp_path, parcels.contract, parcels.models["gradient_boosting"])
    folder = base / "processing/input/rows"
    write_csv(folder / "a.csv", parcels.contract, parcels.rows[:10])
    write_lines(folder / "b.jsonl", parcels.contract, parcels.rows[:150])
    (folder / "b.jsonl").write_text((folder / "b.jsonl").read_text() + '\n{"parcel"')
    (folder / "c.parquet").write_bytes(b"PAR1")
    write_csv(folder / "d.csv", parcels.contract, parcels.rows[:10])
    assert run_verb("score", base) == 1
    error = capsys.readouterr().err
    assert (
        "score: 2 of 4 shards are refused: " in error
        and "b.jsonl: line 151 is not JSON" in error
        and "c.parquet: " in error
    )
    assert set(summaries(base)) == {"a.csv", "d.csv"}
    assert list((base / "processing/unfinished").iterdir()) == []
    assert not [path for path in outputs(base) if "b.jsonl" in path or "c.parquet" in path]


def test_many_blocks_at_once_give_what_one_gives(returns, run_verb, tmp_path):
    """Many blocks are scored at the same time; what is written does not show it."""
    base = scoring_folder(tmp_path / "many", returns.contract, returns.models["gradient_boosting"])
    long = [{**row, "note": "x" * 900} for row in returns.rows]
    rows = long * 8
    write_csv(base / "processing/input/rows/part.csv", returns.contract, rows)
    assert (base / "processing/input/rows/part.csv").stat().st_size > 8 << 20
    assert run_verb("score", base) == 0
    found = results(base, "part.csv")
    assert len(found) == len(rows)
    few = scoring_folder(tmp_path / "few", returns.contract, returns.models["gradient_boosting"])
    write_csv(few / "processing/input/rows/part.csv", returns.contract, long)
    assert run_verb("score", few) == 0
    one = results(few, "part.csv")
    strip = [{**line, "id": None} for line in one]
    assert [{**line, "id": None} for line in found] == strip * 8
    assert [line["id"] for line in found[:1500]] == [line["id"] for line in one]
    assert len({line["id"] for line in found}) == len(rows)


def test_a_model_of_another_contract_or_no_input_is_refused(returns, parcels, run_verb, tmp_path, capsys):
    base = scoring_folder(tmp_path, parcels.contract, returns.models["prior"])
    assert run_verb("score", base) == 1
    write_csv(base / "processing/input/rows/part.csv", parcels.contract, parcels.rows[:10])
    assert run_verb("score", base) == 1
    error = capsys.readouterr().err
    assert "no file to score is under" in error
    assert "which has changed the target, class, shelf; train" in error
    shutil.rmtree(base)


def test_a_shard_of_nothing_but_bad_rows_and_one_of_nothing_but_the_prior_are_whole_too(parcels, run_verb, tmp_path):
    base = scoring_folder(tmp_path, parcels.contract, None)
    folder = base / "processing/input/rows"
    write_lines(folder / "good.jsonl", parcels.contract, parcels.rows[:3])
    write_lines(folder / "bad.jsonl", parcels.contract, [{**row, "weight": -1} for row in parcels.rows[:3]])
    assert run_verb("score", base) == 0
    assert [line["probabilities"] for line in results(base, "good.jsonl")] == [{"1": 0.5, "2": 0.3, "3": 0.2}] * 3
    assert results(base, "bad.jsonl") == []
    assert predictions(base, "bad.jsonl").num_rows == 0
    assert only_summary(base, "bad.jsonl")["chunks"] == 0


def test_a_run_that_stores_nothing_writes_the_same_predictions_and_no_results(parcels, run_verb, tmp_path):
    tables = []
    for stores in (True, False):
        base = scoring_folder(
            tmp_path / str(stores), parcels.contract, parcels.models["gradient_boosting"], store=stores
        )
        write_csv(base / "processing/input/rows/part.csv", parcels.contract, parcels.rows[:250])
        assert run_verb("score", base) == 0
        assert (only_summary(base, "part.csv")["chunks"], len(results(base, "part.csv"))) == (
            (3, 250) if stores else (0, 0)
        )
        tables.append(predictions(base, "part.csv"))
    assert tables[0].equals(tables[1])
