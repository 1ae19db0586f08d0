"""Each function as the runtime starts it: its own process, the zip and botocore on the path, and nothing else of this
machine.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts): file.read_text()
    for file in sorted((ROOT / "lambdas").rglob("*.py"))
}
GIVEN_BY_THE_RUNTIME = {"LAMBDA_TASK_ROOT", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
WAITED_FOR = ("lambdas.request.predict", "lambdas.request.outcomes")  # by a customer


def needed(module: str) -> set[str]:
    """The environment that a module and those it imports read."""
    source = SOURCES[module]
    several = re.findall(r"^from (lambdas[.\w]*) import (.+)$", source, re.MULTILINE)
    names = {f"{package}.{name}" for package, listed in several for name in re.findall(r"\w+", listed)}
    imported = {name for name in {package for package, _ in several} | names if name in SOURCES}
    own = set(re.findall(r'os\.environ\["(\w+)"\]', source)) - GIVEN_BY_THE_RUNTIME
    return own.union(*map(needed, imported))


FUNCTIONS = {verb: sorted(needed(verb)) for verb, source in SOURCES.items() if "\ndef handler(" in source}
ANYTHING = "{}"  # is JSON too, which a setting may be
# Imports every function in turn, each in a fork of one process that has loaded what all of them load.
START_EACH = """
import importlib, json, os, sys
import lambdas.aws.clients, lambdas.settings
results = {}
for verb, environment in json.load(sys.stdin):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.environ.update(environment)
        try:
            importlib.import_module(verb)
            said = "started"
        except BaseException as error:
            said = f"{type(error).__name__} {error}"
        heavy = sorted({"boto3", "botocore", "numpy", "pandas", "pyarrow", "aws_cdk"} & set(sys.modules))
        os.write(writer, json.dumps([said, heavy]).encode())
        os._exit(0)
    os.close(writer)
    results["-".join([verb, *environment])] = json.loads(os.fdopen(reader, "rb").read())
json.dump(results, sys.stdout)
"""


@pytest.fixture(scope="module")
def started(tmp_path_factory) -> dict:
    """{function and its environment: (what became of it, heavy packages it loaded)}."""
    everything = [(verb, dict.fromkeys(names, ANYTHING)) for verb, names in FUNCTIONS.items()]
    without_one = [
        (verb, {name: ANYTHING for name in names if name != left_out})
        for verb, names in FUNCTIONS.items()
        for left_out in names
    ]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "LAMBDA_TASK_ROOT": os.environ["LAMBDA_TASK_ROOT"],
    }
    run = subprocess.run(
        [sys.executable, "-c", START_EACH],
        input=json.dumps(everything + without_one),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("verb", FUNCTIONS)
def test_a_function_starts_with_just_the_environment_it_needs_and_loads_nothing_heavy(started, verb):
    said, heavy = started["-".join([verb, *FUNCTIONS[verb]])]
    assert (said, set(heavy) - ({"botocore"} if verb not in WAITED_FOR else set())) == ("started", set())


@pytest.mark.parametrize(("verb", "missing"), [(verb, name) for verb, names in FUNCTIONS.items() for name in names])
def test_a_missing_setting_fails_the_start_and_not_a_customer(started, verb, missing):
    given = "-".join([verb, *(name for name in FUNCTIONS[verb] if name != missing)])
    assert started[given][0] == f"KeyError '{missing}'"


def test_no_setting_is_read_in_another_way():
    """With a default, or once a request is there, a missing one would go unnoticed. What the runtime itself gives is
    never missing.
    """
    own = {name: source for name, source in SOURCES.items() if name != "lambdas.aws.clients"}
    assert [
        name for name, source in own.items() if re.search(r"environ\.get|getenv|^ +.*os\.environ", source, re.MULTILINE)
    ] == []


ANOTHER_CONTRACT = {
    "name": "iris",
    "task": "multiclass",
    "key": [],
    "target": {"column": "kind", "prior": {"0": 0.2, "1": 0.5, "2": 0.3}, "positive": True},
    "columns": [{"name": "petal length", "type": "float"}, {"name": "kind", "type": "integer"}],
}
ANSWER_THREE = """
import json, sys
from datetime import UTC, datetime
from domain.release.routing import EMPTY, promote
from lambdas.request.predict import predict
from lambdas.request.scoring import scores_of
from lambdas.settings import CONTRACT
class Answered:
    def save(self, records): pass
routing = promote(EMPTY, release="r-1", endpoint="e", at="2013-04-01T00:00:00Z", reason="the first")
body = b'{"predictions": [[0.1, 0.2, 0.7], [0.5, 0.6], {"error": "?"}], "classes": [0, 1, 2]}'
answers, _ = predict([{"petal length": n} for n in (1.5, 2, 3)], key=None,
                     now=datetime(2013, 4, 1, tzinfo=UTC), route=lambda: routing,
                     ask=lambda calls: [scores_of(body, 3, contract=CONTRACT)], answered=Answered())
json.dump(answers, sys.stdout)
"""


def test_the_same_code_serves_a_project_of_three_classes_without_key_or_event_time(tmp_path):
    settings = json.loads(Path(os.environ["LAMBDA_TASK_ROOT"], "settings.json").read_text())
    (tmp_path / "settings.json").write_text(json.dumps({**settings, "contract": ANOTHER_CONTRACT}))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "LAMBDA_TASK_ROOT": str(tmp_path),
        **dict.fromkeys(FUNCTIONS["lambdas.request.predict"], ANYTHING),
    }
    run = subprocess.run(
        [sys.executable, "-c", ANSWER_THREE], env=environment, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    answers = json.loads(run.stdout)
    prior = {"prediction": 1, "probability": 0.5, "probabilities": {"0": 0.2, "1": 0.5, "2": 0.3}}
    assert [
        {name: one[name] for name in ("prediction", "probability", "probabilities", "source", "event_time")}
        for one in answers
    ] == [
        {
            "prediction": 2,
            "probability": 0.7,
            "probabilities": {"0": 0.1, "1": 0.2, "2": 0.7},
            "source": "model",
            "event_time": None,
        },
        {**prior, "source": "fallback", "event_time": None},
        {**prior, "source": "fallback", "event_time": None},
    ]
    assert len({one["entity_id"] for one in answers}) == 3
    assert all(len(one["entity_id"]) == 32 for one in answers)
