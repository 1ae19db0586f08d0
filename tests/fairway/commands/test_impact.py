"""What depends on a column, and what a change of it would cost, by the champion's own artefact and the lake's rows."""

import json

import pytest

from domain.config import sections
from domain.contract import schema
from domain.contract.file import read_contract
from domain.train.windows import Window
from model_code.__main__ import main
from model_code.artefact.archive import pack
from model_code.artefact.folder import MANIFEST, sha256
from tests.fairway.commands.test_held_out import RELEASE, RUN
from tests.fairway.commands.test_load import table
from tests.model_code.folders import AS_OF, training_folder

WINDOW: Window = {"train_start": "2024-01-01T00:00:00Z", "evaluate_start": "2024-02-15T00:00:00Z", "as_of": AS_OF}
NIGHT = {"hour": 22, "arrival_hour": 23, "late": True}
DAY = {"hour": 9, "arrival_hour": 10, "late": False}


@pytest.fixture
def champion(place, tmp_path, monkeypatch):
    """A champion that has learnt that flights of the night are late, judged on 40 rows."""
    contract = read_contract(place.folder / "flights/contract.toml", "binary")
    row = {"carrier": "UA", "origin": "EWR", "dest": "SFO", "month": 2, "weekday": 6, "minute": 30, "distance": 2565}
    learnt = [
        {**row, "flight_id": f"UA{n}", "departure": f"2024-01-{n % 28 + 1:02d}T10:00:00Z", **(NIGHT if n % 2 else DAY)}
        for n in range(200)
    ]
    base = training_folder(tmp_path / "job", contract, learnt, "logistic_regression")
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
    assert main(["train"]) == 0
    pack(base / "model", tmp_path / "model.tar.gz")
    place.aws("s3").upload_file(str(tmp_path / "model.tar.gz"), "lake", f"artefacts/{RUN}/model.tar.gz")
    judged_on(place, contract, tmp_path)
    digest = sha256(base / "model" / MANIFEST)
    place.put(
        "routing",
        item=f"release#{RELEASE}",
        release=RELEASE,
        run=RUN,
        state="champion",
        model_uri=f"s3://lake/artefacts/{RUN}/model.tar.gz",
        artefact_sha256=digest,
    )
    now = {"release": RELEASE, "endpoint": "flights-local-1", "since": AS_OF}
    place.put("routing", item="routing", version=1, champion=now, claims=[], previous=[], changed_at=AS_OF, reason="-")
    return place


def judged_on(place, contract, tmp_path) -> None:
    rows = [
        {"departure": "2024-02-20T10:00:00Z", **{name: str(value).lower() for name, value in each.items()}}
        for each in [NIGHT, DAY] * 20
    ]
    loaded = place.values("load", table(tmp_path / "a.csv", *rows))["files"][0]["load"]
    documents = {
        "evaluate.manifest": [{"prefix": "s3://lake/rows/"}, f"month=2024-02/{loaded}-00000.parquet"],
        "evaluation.json": {"rows": 40, "window": WINDOW},
        "settings/run.json": {"run": RUN, "loads": [loaded], **WINDOW},
        "settings/contract.json": schema.as_dict(contract),
        "settings/config.json": sections.as_dict(sections.read_config(place.folder)),
    }
    for name, document in documents.items():
        place.aws("s3").put_object(Bucket="lake", Key=f"runs/{RUN}/{name}", Body=json.dumps(document))


def test_each_change_of_a_column_is_priced_on_the_rows_that_the_champion_was_judged_on(champion):
    told = champion.values("impact", "hour")
    effects = {one["scenario"]: one for one in told.pop("effects")}
    assert told == {
        "what": "hour",
        "columns": [{"column": "hour", "role": "feature", "source": "airline schedule", "owner": "network planning"}],
        "releases": [{"release": RELEASE, "role": "champion"}],
        "stages": ["local", "dev", "staging", "prod"],
        "rows": 40,
        "run": RUN,
    }
    missing = effects["missing"]
    assert (missing["rows"], missing["refused"], missing["noticed_by"]) == (40, 1.0, "contract")
    assert missing["change"] == {"right": -0.5, "value_usd": pytest.approx(worth_of_no() - worth_of_right())}
    assert effects["1,000 times as large"]["refused"] == 1.0
    assert "in the other case" not in effects  # it is a number


def worth_of_right() -> float:
    business = sections.read_config(".").business
    return (business.true_positive_usd + business.true_negative_usd) / 2


def worth_of_no() -> float:
    business = sections.read_config(".").business
    return (business.false_negative_usd + business.true_negative_usd) / 2


def test_a_source_changes_as_a_whole_and_column_by_column(champion):
    told = champion.values("impact", "weather station", "--rows", "100")
    columns = [one["column"] for one in told["columns"]]
    assert columns[:2] == ["temp", "dewp"] and len(columns) == 8
    together = [one for one in told["effects"] if one["columns"] == columns]
    assert [one["scenario"] for one in together] == [
        "missing",
        "stale: the same value in every row",
        "of another row",
    ]
    assert all(one["flipped"] == 0 for one in together)  # no row has any weather


def test_a_person_reads_who_depends_on_it_and_what_would_be_noticed(champion):
    code, out, err = champion.run("impact", "hour")
    assert code == 0, err
    assert f"asked today: champion {RELEASE}" in out
    assert "40 rows from 2024-02-15T00:00:00Z to 2024-03-01T00:00:00Z, each answered again" in out
    assert "$ per 1,000 rows" in out and "contract" in out


def test_what_no_model_reads_changes_no_answer(champion):
    told = champion.values("impact", "month")
    assert (told["rows"], told["effects"]) == (0, [])
    assert "no model reads it, so no answer changes" in champion.run("impact", "month")[1]


def test_an_unknown_name_and_a_stage_without_a_champion_are_refused(champion):
    code, _, err = champion.run("impact", "hours")
    assert code == 2 and "did you mean 'hour'?" in err
    champion.put("routing", item="routing", version=2, champion=None, claims=[], previous=[], changed_at="", reason="-")
    code, _, err = champion.run("impact", "hour")
    assert code == 2 and "there is no champion yet" in err


def test_an_artefact_that_is_not_the_signed_one_is_not_opened(champion):
    s3 = champion.aws("s3")
    s3.put_object(Bucket="lake", Key=f"artefacts/{RUN}/model.tar.gz", Body=b"no archive")
    code, _, err = champion.run("impact", "hour")
    assert code == 1 and "is not a model.tar.gz" in err
