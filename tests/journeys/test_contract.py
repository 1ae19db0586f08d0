"""The contract of a running project is edited, again and again, while an application goes on asking."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from domain.reasons import Reason
from fairway.client import Fairway
from tests.journeys.conftest import Journey, drafted, write_csv

COLUMNS = {
    "customer": {"type": "string"},
    "orders": {"type": "integer", "minimum": 0, "maximum": 40},
    "plan": {"type": "string", "categories": ["free", "pro"]},
    "size": {"type": "float", "minimum": 100},
    "left": {"type": "boolean"},
}
ROW = {"customer": "c1", "orders": 3, "plan": "free", "size": 171.5}
ANSWERED = ("model", "champion")


@pytest.fixture(scope="module")
def club(tmp_path_factory):
    """A project whose champion was made under COLUMNS."""
    table = write_csv(tmp_path_factory.mktemp("edits") / "members.csv", list(COLUMNS), members(2000))
    with drafted(table, target="left", name="club") as journey:
        settings = journey.project / "fairway.toml"
        settings.write_text(settings.read_text() + "\n[serving]\ndeadline_ms = 20000\n")  # no answer is late here
        write_contract(journey, COLUMNS)
        journey.fairway("up", "--enforce-iam")
        journey.fairway("load", table)
        trained = journey.fairway("train")
        assert trained["verdict"] == "approved", trained["reason"]
        yield journey


def members(count: int, *, first: int = 0, more: tuple[str, ...] = ()) -> Iterator[list]:
    draw = random.Random(first)
    for number in range(first, first + count):
        orders, plan = draw.randint(0, 40), draw.choice(["free", "pro"])
        leaves = draw.random() < 1 / (1 + 2.718 ** ((orders - 15) / 4 + (plan == "pro")))
        yield [f"c{number}", orders, plan, f"{draw.gauss(170, 10):.1f}", leaves, *more]


def write_contract(journey: Journey, columns: dict[str, dict]) -> None:
    head = 'name = "club"\nkey = ["customer"]\n\n[target]\ncolumn = "left"\nprior = 0.4\n'
    sections = [
        "\n".join([f"[columns.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in spec.items())])
        for name, spec in columns.items()
    ]
    (journey.project / "contract.toml").write_text("\n\n".join([head, *sections]) + "\n")


@contextmanager
def asked_all_the_while(journey: Journey) -> Iterator[Counter]:
    """How often each (source, reason) answered, or an error did, while an application asked for the same row."""
    answers, done, api = Counter(), threading.Event(), Fairway(project=journey.project)

    def ask() -> None:
        while not done.is_set():
            try:
                answer = api.predict(ROW)
                answers[answer["source"], answer["reason"]] += 1
            except Exception as error:  # noqa: BLE001 whatever the application gets, the test shows
                answers["error", repr(error)] += 1
            time.sleep(0.4)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield answers
    finally:
        done.set()
        asking.join()


def answers_of(journey: Journey, *rows: dict) -> list[tuple[str, str]]:
    return [(one["source"], one["reason"]) for one in journey.predict(*rows)]


UNREAD = {**COLUMNS, "size": {"type": "float", "role": "ignored"}}
WIDER = {
    **COLUMNS,
    "plan": {"type": "string", "categories": ["free", "pro", "été"]},
    "orders": {"type": "integer", "nullable": True},
}
WITH_COLOUR = {**WIDER, "colour": {"type": "string", "nullable": True}}
UNSEEN = [{**ROW, "plan": "été", "orders": -7}, {**ROW, "orders": None}]
COMPATIBLE = [
    (UNREAD, ["unread", "optional", "widened"], [ROW, {name: ROW[name] for name in ROW if name != "size"}]),
    (WIDER, ["optional", "widened", "widened"], [ROW, *UNSEEN]),
    (WITH_COLOUR, ["added", "optional", "widened", "widened"], [ROW, {**ROW, "colour": "red"}]),
]


def test_no_answer_becomes_a_fallback_while_compatible_edits_are_deployed(club):
    with asked_all_the_while(club) as answers:
        for columns, kinds, rows in COMPATIBLE:
            write_contract(club, columns)
            changes = club.fairway("check", "--against", "local")["changes"]
            assert sorted(change["kind"] for change in changes) == sorted(kinds)
            before = answers.total()
            assert club.fairway("up")["changed"]
            assert answers_of(club, *rows) == [ANSWERED] * len(rows)
            assert answers.total() > before
    assert set(answers) == {ANSWERED}


def test_under_the_last_of_them_a_batch_of_unseen_values_is_scored_by_the_champion(club, tmp_path):
    """The file lacks the column that is new and may be null."""
    table = write_csv(tmp_path / "new.csv", list(ROW), (row.values() for row in [ROW, *UNSEEN]))
    out = tmp_path / "out.csv"
    batch = club.fairway("batch", table, "--out", out)
    assert (batch["read"], batch["scored"], batch["quarantined"]) == (3, 3, 0)
    assert out.read_text().count("model") == 3


def test_and_a_training_run_takes_history_that_was_loaded_under_the_first(club, tmp_path):
    table = write_csv(tmp_path / "more.csv", [*COLUMNS, "colour"], members(1000, first=2000, more=("red",)))
    club.fairway("load", table)
    run = club.fairway("train")["run"]
    runs = club.aws("dynamodb").scan(TableName=club.address()["runs"])["Items"]
    (record,) = [item for item in runs if item["run"]["S"] == run]
    assert record["train_rows"]["N"] == record["evaluate_rows"]["N"] == "3000"  # each job takes its part of them
    assert answers_of(club, ROW) == [ANSWERED]


BREAKING = {
    "removed": {name: spec for name, spec in COLUMNS.items() if name != "plan"},
    "renamed": {("tariff" if name == "plan" else name): spec for name, spec in COLUMNS.items()},
    "retyped": {**COLUMNS, "orders": {"type": "string"}},
    "required": {**COLUMNS, "age": {"type": "integer"}},
}


@pytest.mark.parametrize("edit", BREAKING)
def test_an_edit_that_breaks_the_champion_is_refused_before_anything_is_changed(club, edit):
    before = club.address()
    with asked_all_the_while(club) as answers:
        write_contract(club, BREAKING[edit])
        for words in (["check", "--against", "local"], ["up"]):
            done = club.run(*words, "--json")
            refused = json.loads(done.stdout)
            assert (done.returncode, refused["error"]) == (2, "breaking"), done.stderr
            assert "champion r-" in refused["message"] and "--breaking" in refused["message"]
        assert answers_of(club, ROW) == [ANSWERED]
    assert set(answers) == {ANSWERED}
    assert club.address() == before


def test_one_that_is_confirmed_gets_the_fallback_until_a_release_is_made_under_it(club):
    write_contract(club, BREAKING["removed"])
    row = {name: value for name, value in ROW.items() if name != "plan"}
    assert club.fairway("up", "--breaking")["changed"]
    assert answers_of(club, row) == [("fallback", Reason.ROW_NOT_SCORED.value)]
    trained = club.fairway("train")
    assert trained["verdict"] == "approved", trained["reason"]
    assert answers_of(club, row) == [ANSWERED]
