"""A history under several policies of retraining: what a change of the world costs those that never retrain."""

import csv
import json
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fairway.cli import main

TOML = """
[project]
name = "shop"
contract = "contract.toml"
task = "binary"
[data]
window_days = 28
evaluate_days = 7
[training]
candidates = ["prior", "logistic_regression"]
[benchmarks]
calibration_error = 0.3
[business]
true_positive_usd = 10.0
false_positive_usd = -10.0
"""
CONTRACT = """
name = "shop"
key = ["order"]
event_time = "at"
[target]
column = "late"
positive = true
prior = 0.5
[columns.order]
type = "integer"
[columns.at]
type = "timestamp"
[columns.load]
type = "float"
[columns.shelf]
type = "string"
[columns.late]
type = "boolean"
"""
FIRST, DAYS, ROWS, CHANGE = datetime(2024, 1, 1, tzinfo=UTC), 70, 60, 42


def rows_of(*, changes: bool) -> list[dict]:
    """Rows of ten weeks. Where it changes, from the seventh on all are of two new shelves, one of which is late."""
    chance, rows = random.Random(5), []
    for number in range(DAYS * ROWS):
        load, shelf = chance.gauss(0, 1), chance.choice("abc")
        late = load + chance.gauss(0, 0.5) > 0
        if changes and number // ROWS >= CHANGE:
            load, shelf = chance.gauss(0, 0.1), chance.choice("de")
            late = (shelf == "d") == (chance.random() < 0.95)
        rows.append(
            {
                "order": number,
                "at": (FIRST + timedelta(days=number / ROWS)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "load": round(load, 4),
                "shelf": shelf,
                "late": str(late).lower(),
            }
        )
    return rows


def project_in(folder: Path, *, changes: bool) -> Path:
    folder.mkdir()
    (folder / "fairway.toml").write_text(TOML)
    (folder / "contract.toml").write_text(CONTRACT)
    rows = rows_of(changes=changes)
    for name, part in (("early.csv", rows[: len(rows) // 2]), ("late.csv", rows[len(rows) // 2 :])):
        with (folder / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(part)
    return folder


def words(folder: Path, *more: str) -> list[str]:
    files = [str(folder / name) for name in ("early.csv", "late.csv")]
    return ["backtest", *files, "--project", str(folder), *more]


def printed(capsys, folder: Path, *more: str) -> str:
    code = main(words(folder, "--json", *more))
    said = capsys.readouterr()
    assert code == 0, said.out + said.err
    return said.out


def by_policy(result: dict) -> dict[str, dict]:
    return {each["policy"]: each for each in result["policies"]}


@pytest.fixture(scope="module")
def changing(tmp_path_factory) -> Path:
    return project_in(tmp_path_factory.mktemp("backtest") / "changing", changes=True)


def test_after_a_change_never_loses_what_weekly_wins_back_and_the_loop_sooner(changing, capsys):
    result = json.loads(printed(capsys, changing))
    assert (result["first"], result["until"], result["rows"]) == ("2024-01-29", "2024-03-11", 42 * ROWS)
    tried = by_policy(result)
    never, weekly, loop = tried["never"], tried["weekly"], tried["loop"]
    assert [len(each["runs"]) for each in (never, weekly)] == [1, 6] and len(loop["runs"]) < 6
    assert [run["as_of"] for run in tried["monthly"]["runs"]] == ["2024-01-29", "2024-02-05", "2024-03-04"]
    before = [week for week in never["weeks"] if week["week"] < "2024-02-12"]
    assert before == [week for week in weekly["weeks"] if week["week"] < "2024-02-12"]
    assert all(week["value_usd"] > 0 for week in before)
    last = [each["weeks"][-1]["value_usd"] for each in (never, weekly, loop)]
    assert last[0] < 0 < last[1] == last[2]
    for figure in (lambda each: each["value_usd"], lambda each: each["metrics"]["roc_auc"]):
        assert figure(never) < figure(weekly) < figure(loop)
    lost = 4 * before[-1]["value_usd"] - sum(week["value_usd"] for week in never["weeks"][2:])
    assert loop["value_usd"] - never["value_usd"] > 0.75 * lost
    why = [run["why"] for run in loop["runs"]]
    assert why[0] == "by the calendar" and all(each.startswith("retrain: since 2024-02-1") for each in why[1:])
    assert {alarm["kind"] for alarm in never["alarms"]} == {"decline"}
    page = (changing / "backtest.html").read_text()
    assert "How often to retrain shop" in page and page.count("<polyline") == 3 + 4


@pytest.fixture(scope="module")
def stable(tmp_path_factory) -> Path:
    return project_in(tmp_path_factory.mktemp("backtest") / "stable", changes=False)


def test_where_nothing_changes_the_loop_trains_once_and_nothing_alarms(stable, capsys):
    tried = by_policy(json.loads(printed(capsys, stable)))
    assert {name: len(each["runs"]) for name, each in tried.items()} == {
        "never": 1,
        "monthly": 3,
        "weekly": 6,
        "loop": 1,
    }
    assert tried["loop"]["value_usd"] == tried["never"]["value_usd"]
    assert [each["alarms"] for each in tried.values()] == [[], [], [], []]


def test_the_same_rows_and_settings_give_the_same_bytes_with_or_without_what_was_kept(changing, capsys, tmp_path):
    first = printed(capsys, changing)
    other = project_in(tmp_path / "again", changes=True)
    assert printed(capsys, other) == first
    assert (other / "backtest.html").read_bytes() == (changing / "backtest.html").read_bytes()


def test_a_killed_backtest_goes_on_and_ends_alike(changing, capsys, tmp_path):
    whole = printed(capsys, changing)
    folder = project_in(tmp_path / "killed", changes=True)
    command = [sys.executable, "-m", "fairway.cli", *words(folder, "--json")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(folder.glob(".fairway/backtest/*/trained/*/model"))) < 3:
            time.sleep(0.01)
        assert process.poll() is None, "it ended before it could be killed"
        process.send_signal(signal.SIGKILL)
    kept = {file: file.stat().st_mtime_ns for file in folder.glob(".fairway/backtest/*/trained/*/model.tar.gz")}
    assert len(kept) >= 3
    assert printed(capsys, folder) == whole
    assert {file: file.stat().st_mtime_ns for file in kept} == kept


SCENARIOS = {
    ("upstream", "--of", "load"): {"decline", "loop guard"},  # the load is the same in every row
    ("source", "--of", "load"): {"silence"},  # the contract refuses rows without it
    ("delay",): {"no outcomes"},
}


@pytest.mark.parametrize(("scenario", "alarms"), SCENARIOS.items())
def test_a_scenario_leaves_what_was_before_it_and_alarms_after(stable, capsys, scenario, alarms):
    usual = by_policy(json.loads(printed(capsys, stable, "--policy", "never", "--policy", "loop")))
    words = ("--scenario", *scenario, "--since", "2024-02-12", "--policy", "never", "--policy", "loop")
    result = json.loads(printed(capsys, stable, *words))
    assert (result["scenario"]["kind"], result["rows"]) == (scenario[0], 42 * ROWS)
    loop = by_policy(result)["loop"]
    assert loop["weeks"][:2] == usual["loop"]["weeks"][:2]
    assert {alarm["kind"] for alarm in loop["alarms"]} == alarms
    assert min(alarm["told"] for alarm in loop["alarms"]) >= "2024-02-13"
    assert (loop["value_usd"] == usual["loop"]["value_usd"]) == (scenario == ("delay",))
    assert "from 2024-02-12 on" in (stable / "backtest.html").read_text()


def test_settings_and_days_of_the_command_count_and_are_compared_with_before(changing, capsys, tmp_path):
    span = ("--from", "2024-02-05", "--to", "2024-03-04", "--policy", "weekly", "--policy", "never")
    before = tmp_path / "before.json"
    before.write_text(printed(capsys, changing, *span))
    result = json.loads(printed(capsys, changing, *span, "--set", "benchmarks.quality=0.999", "--compare", str(before)))
    assert (result["first"], result["until"]) == ("2024-02-05", "2024-03-04")
    never = by_policy(result)["never"]
    assert never["by_model"] == 0 and {run["verdict"] for run in never["runs"]} == {"rejected"}
    assert never["value_usd"] == result["prior_usd"]
    (changed,) = [each for each in result["compared"] if each["policy"] == "never"]
    earlier = by_policy(json.loads(before.read_text()))["never"]
    assert changed["value_usd"] == never["value_usd"] - earlier["value_usd"]
    assert changed["runs"] == 4 - 1


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--from", "spring"], "--from spring: must be a day, such as 2013-04-01"),
        (["--from", "2024-01-02"], "--from 2024-01-02: must be from 2024-01-09 to 2024-03-10"),
        (["--to", "2025-01-01"], "--to 2025-01-01: must be after 2024-01-29 and at most 2024-03-11"),
        (["--policy", "daily"], "--policy daily: must be one of never, monthly, weekly, loop"),
        (["--scenario", "unit", "--of", "shelf", "--since", "2024-02-12"], "--of shelf: must have a feature of type"),
        (["--scenario", "delay"], "--scenario delay: needs --since, its first day"),
        (["--of", "load"], "--of and --since: need --scenario, one of unit, category,"),
        (["--set", "data.window_days=x"], "--set: data.window_days = 'x': must be a whole number"),
        (["--compare", "contract.toml"], "--compare contract.toml: must be what `fairway backtest"),
        (["--out", "nowhere/page.html"], "--out nowhere/page.html: folder nowhere does not exist"),
    ],
)
def test_what_cannot_be_replayed_is_refused_by_name(changing, capsys, monkeypatch, more, told):
    monkeypatch.chdir(changing)
    code = main(words(changing, *more))
    said = capsys.readouterr()
    assert code == 2
    assert said.err.splitlines()[-1].startswith(f"error: {told}")


def test_a_table_without_event_time_cannot_be_replayed(tmp_path, capsys):
    folder = project_in(tmp_path / "timeless", changes=False)
    contract = folder / "contract.toml"
    contract.write_text(contract.read_text().replace('event_time = "at"\n', ""))
    assert main(words(folder)) == 2
    assert "contract 'shop': must have an event_time to be replayed by" in capsys.readouterr().err
