"""Models made elsewhere, from a file to predictions: the same gate, release, requests and batches as a trained one."""

import contextlib
import json
import math
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import joblib
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.journeys.conftest import FAIRWAY, Journey, drafted, eventually, processes_below, write_csv
from tests.model_code.importing.graphs import logistic


@pytest.fixture(scope="module")
def gym(tmp_path_factory):
    """A project drafted from a table of members who leave or stay, loaded."""
    table = write_csv(tmp_path_factory.mktemp("import") / "members.csv", ["age", "visits", "left"], members(1500))
    with drafted(table, target="left", name="gym") as journey:
        journey.fairway("up", "--enforce-iam")
        journey.fairway("load", table)
        yield journey


def members(count: int) -> Iterator[list]:
    draw = random.Random(11)
    for _ in range(count):
        age, visits = draw.uniform(18, 80), draw.uniform(0, 40)
        yield [f"{age:.2f}", f"{visits:.2f}", "yes" if draw.random() < leaves(age, visits) else "no"]


def leaves(age: float, visits: float) -> float:
    return 1 / (1 + math.exp((age - 45) / 10 + (visits - 15) / 6))


def weak_model(journey: Journey) -> Path:
    """Knows the age, but was told nonsense about the visits."""
    members = pd.read_csv(journey.data / "members.csv")
    known = members[["age", "visits"]].assign(visits=members["visits"].sample(frac=1, random_state=0).to_numpy())
    joblib.dump(
        make_pipeline(StandardScaler(), LogisticRegression()).fit(known, members["left"]),
        journey.data / "Weak Model.joblib",
    )
    return journey.data / "Weak Model.joblib"


def test_a_pickle_is_refused_before_anything_runs(gym):
    done = gym.run("import", weak_model(gym), "--json")
    assert done.returncode == 2, done.stderr
    said = json.loads(done.stdout)
    assert (said["error"], "--trust" in said["message"]) == ("model_refused", True)
    assert gym.fairway("releases")["releases"] == []


def test_a_pipeline_from_joblib_is_released_and_answers(gym):
    imported = gym.fairway("import", weak_model(gym), "--trust")
    assert imported["verdict"] == "approved", imported["reason"]
    assert (imported["candidate"], imported["imported"]["format"]) == ("weak-model", "plan")
    assert imported["imported"]["compared"]["largest_difference"] <= 1e-9
    assert imported["run"].startswith("import-")
    assert (imported["state"], gym.fairway("status")["champion"]) == ("waiting", None)  # until a person approves it
    assert gym.fairway("promote", imported["release"])["champion"] == imported["release"]
    answer, row = gym.predict({"age": 30.0, "visits": 10.0})[0], pd.DataFrame([{"age": 30.0, "visits": 10.0}])
    assert (answer["source"], answer["release"]) == ("model", imported["release"])
    expected = joblib.load(weak_model(gym)).predict_proba(row)[0, 1]
    assert answer["probability"] == pytest.approx(expected, abs=1e-9)


def test_a_model_that_is_no_better_than_the_champion_is_rejected(gym):
    first = gym.fairway("status")["champion"]
    again = gym.fairway("import", weak_model(gym), "--trust", "--name", "weak-model")
    assert again["verdict"] == "rejected"
    assert "is identical to the current champion" in again["reason"]
    assert gym.fairway("status")["champion"] == first


def test_an_onnx_model_takes_over_answers_and_scores_a_batch(gym):
    first = gym.fairway("status")["champion"]
    file = logistic(gym.data / "strong.onnx", [-1 / 10, -1 / 6], 45 / 10 + 15 / 6)
    imported = gym.fairway("import", file, "--answers", known_answers(gym))
    assert imported["verdict"] == "approved", imported["reason"]
    assert imported["imported"]["compared_with_given"]["rows"] == 50
    assert (imported["imported"]["format"], f"better than the champion {first}" in imported["reason"]) == ("onnx", True)
    assert gym.fairway("status")["champion"] == first
    assert gym.fairway("promote", imported["release"])["champion"] == imported["release"]
    answer = asked_until(gym, imported["release"])
    assert answer["probability"] == pytest.approx(leaves(30.0, 10.0), abs=1e-6)
    batch = gym.fairway("batch", gym.data / "members.csv")
    assert (batch["read"], batch["scored"], batch["written"], batch["quarantined"]) == (1500, 1500, 1500, 0)
    assert gym.fairway("rollback")["champion"] == first


KILLED_AT = (0.3, 0.8)  # of the time that the command usually takes


@pytest.mark.parametrize("command", ["import", "report"])
def test_a_command_that_is_killed_leaves_nothing_half_done_and_the_next_one_succeeds(gym, tmp_path, command):
    page = tmp_path / "page.html"
    words = {"import": [weak_model(gym), "--trust", "--name", "weak-model"], "report": ["--out", page]}[command]
    champion, began = gym.fairway("status")["champion"], time.monotonic()
    gym.fairway(command, *words)
    usual_s = time.monotonic() - began
    (tmp_path / "temporary").mkdir()
    for share in KILLED_AT:
        killed(gym, command, words, after_s=share * usual_s, temporary=tmp_path / "temporary")
        assert command == "import" or page.read_text().rstrip().endswith("</html>")
        assert gym.fairway("status")["champion"] == champion
    done = gym.fairway(command, *words)
    assert command == "report" or done["verdict"] == "rejected"
    eventually(lambda: not gym.fairway("status")["unfinished"], within_s=120)


def killed(journey: Journey, command: str, words: list, *, after_s: float, temporary: Path) -> None:
    """Kill the command with SIGKILL; what it kept for a while is gone soon after, files and processes."""
    line = [str(FAIRWAY), command, *map(str, words), "--project", str(journey.project), "--json"]
    process = subprocess.Popen(
        line, env={**os.environ, "TMPDIR": str(temporary)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after_s)
    process.kill()
    process.wait()
    eventually(lambda: not list(temporary.iterdir()) and not processes_below(temporary), within_s=60)


def known_answers(journey: Journey) -> Path:
    """What the ONNX model is known to answer to some of the members."""
    members = pd.read_csv(journey.data / "members.csv", nrows=50)[["age", "visits"]]
    known = [leaves(age, visits) for age, visits in members.to_numpy().tolist()]
    members.assign(answer=known).to_csv(journey.data / "answers.csv", index=False)
    return journey.data / "answers.csv"


def asked_until(journey: Journey, release: str) -> dict:
    """A function that was warm remembers the routing for seconds."""

    def asked() -> dict | None:
        (answer,) = journey.predict({"age": 30.0, "visits": 10.0})
        return answer if answer["release"] == release else None

    return eventually(asked)
