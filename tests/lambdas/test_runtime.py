"""Every function under the Lambda runtime interface emulator, from the very files that its zip is made of: it starts,
and answers.
"""

import gzip
import os

import pytest

from tests.lambdas import emulator, stage
from tests.lambdas.emulator import Emulator
from tests.lambdas.http_api import answered, event_of
from tests.lambdas.request.predict.asking import ROW

pytestmark = pytest.mark.xdist_group("runtime")  # the emulator is fetched, and the app synthesised, once
AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME")
FAILS = {"errorType", "errorMessage", "stackTrace", "requestId"}


@pytest.fixture(scope="session")
def assembly(tmp_path_factory):
    return emulator.synthesised(tmp_path_factory.mktemp("assembly"))


@pytest.fixture(scope="session")
def functions(assembly) -> dict[str, dict]:
    """{handler: the environment that the template gives it}, the names of things as in this stage."""
    return {
        handler: {
            name: value if isinstance(value, str) else os.environ.get(name, "named-at-deploy")
            for name, value in variables.items()
        }
        for handler, variables in assembly[1].items()
    }


@pytest.fixture(scope="session")
def run(assembly, functions):
    """Runs a function for one event; skips, and says why, where the emulator cannot be had."""
    try:
        emulator.binary()
    except emulator.NoEmulator as error:
        pytest.skip(str(error))
    zip_root, _ = assembly
    aws = {name: os.environ[name] for name in AWS} | {"AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL_DYNAMODB"]}

    def run(verb: str, *events, timeout_s: int = 30) -> list:
        (handler,) = (name for name in functions if name.split(".")[-2] == verb)
        with Emulator(zip_root, handler, {**functions[handler], **aws}, timeout_s=timeout_s) as function:
            return [function.invoke(event) for event in events]

    return run


# ---- what each is asked, and what it says: the stage is empty, so some say by name what is missing

RUN = {"run": "run-1", "as_of": "2013-04-01T00:00:00Z"}
WINDOW = {
    "run": "watch-1",
    "window": "2013-04-01",
    "start": "2013-04-01T00:00:00Z",
    "end": "2013-04-02T00:00:00Z",
    "as_of": "2013-04-03T00:00:00Z",
}
ASKED = {"rollout": "r-1/1", "release": "r-1", "endpoint": "e", "asked_at": "2013-04-01T00:00:00Z"}
ANSWERS = {
    "advance": (
        ASKED,
        {"next": "promote", "seconds": 0, "state": "champion", "reason": "there is nobody to be compared with"},
    ),
    "capture": ({"Records": []}, {"captured": 0, "set_aside": 0}),
    "close_batch": (
        {**RUN, "written": 0},
        {"run": "run-1", "read": 0, "quarantined": 0, "scored": 0, "written": 0, "seconds": 0.0},
    ),
    "hours": ({}, {"made": [], "removed": []}),
    "promote": ({"release": "r-1", "endpoint": "e", "reason": "the first"}, {"release": "r-1", "previous": None}),
    "reap": ({"time": "2013-04-01T00:00:00Z"}, {"ended": [], "saves_usd_per_month": 0}),
    "retire": ({}, {"removed": []}),
}
REFUSALS = {
    "choose_window": ({**RUN, "window": "soon"}, {"WindowError"}),
    "judge_window": (WINDOW, {"CountsMissing"}),
    "decide": (WINDOW, {"WindowMissing"}),
    "guard": ({}, {"ClientError", "ValidationError"}),  # the stacks are not there
    "judge": (RUN, {"EvaluationMissing"}),
    "preprocess": ({**RUN, "input": "batch/run-1/input/"}, {"InputRefused"}),
    "remove_endpoints": (
        {
            "RequestType": "Create",
            "StackId": "s",
            "RequestId": "r",
            "LogicalResourceId": "l",
            "ResponseURL": "http://127.0.0.1:1/",
        },
        {"URLError"},
    ),
    "select_window": (RUN, {"NoRows"}),
    "verify_release": (
        {"release": "r-1", "artefact_sha256": "0" * 64, "signature": "AAAA", "model_uri": "s3://lake/m"},
        {"SignatureRefused"},
    ),
    "try_endpoint": ({**RUN, "endpoint": "e", "release": "r-1"}, {"TrialFailed"}),
}
OF_THEIR_OWN = {"predict", "outcomes", "write_results"}


def test_every_function_is_run_here(functions):
    verbs = {handler.split(".")[-2] for handler in functions}
    assert verbs == OF_THEIR_OWN | set(ANSWERS) | set(REFUSALS)


@pytest.mark.parametrize("verb", ANSWERS)
def test_a_function_starts_and_answers(aws, run, verb):
    event, expected = ANSWERS[verb]
    assert run(verb, event) == [expected]


@pytest.mark.parametrize("verb", REFUSALS)
def test_a_function_that_fails_says_so_in_lambda_s_own_envelope(aws, run, verb):
    event, errors = REFUSALS[verb]
    (reply,) = run(verb, event)
    assert set(reply) == FAILS
    assert reply["errorType"] in errors
    assert reply["errorMessage"] and reply["stackTrace"]


def test_the_emulator_says_how_long_an_init_took(assembly, functions, run, tmp_path):
    with Emulator(
        assembly[0],
        "lambdas.request.predict.handler",
        functions["lambdas.request.predict.handler"],
        log=tmp_path / "log",
    ) as function:
        assert 5 < function.init_ms() < 10_000


def test_predict_answers_through_its_own_calls_and_finds_the_answer_again(aws, model, run):
    aws.route()
    model.says([0.71])
    given, again = run("predict", *[event_of("POST /predictions", ROW, headers={"idempotency-key": "k"})] * 2)
    status, answer = answered(given)
    assert (status, answer["source"], answer["probability"], answer["release"]) == (200, "model", 0.71, "r-1")
    assert answered(again) == (status, answer)
    assert [item["id"] for item in aws.items(stage.PREDICTIONS) if "entity_id" in item] == [answer["id"]]


def test_outcomes_are_stored(aws, run):
    (reply,) = run("outcomes", event_of("POST /outcomes", {"entity_id": "a", "outcome": True}))
    assert answered(reply) == (200, {"accepted": 1, "joined": 0, "unmatched": 1})
    assert [item["entity_id"] for item in aws.items(stage.OUTCOMES)] == ["a"]


def test_results_are_written(aws, run):
    first = b'{"all_rows": {"made_at": "x"}, "each_row": ["row_number", "entity_id"], "shard_id": "s"}\n'
    lines = b"".join(b'[%d, "a"]\n' % number for number in range(30))
    aws.upload("batch/run-1/results/a.jsonl.gz", gzip.compress(first + lines))
    assert run("write_results", {"bucket": stage.LAKE, "key": "batch/run-1/results/a.jsonl.gz"}) == [{"written": 30}]
    assert len(aws.items(stage.PREDICTIONS)) == 30


def test_a_function_that_takes_too_long_is_ended_and_started_anew(aws, model, run):
    model.drips(0.5, 60)
    late, next_one = run("try_endpoint", *two_trials(aws), timeout_s=6)  # time for a cold start on a busy machine
    assert late == "Task timed out after 6.00 seconds"
    assert next_one["errorType"] == "TrialFailed"


def two_trials(aws):
    aws.upload("runs/run-1/verdict.json", {"candidate": "c"})
    aws.upload("runs/run-1/golden/c.json", {"instances": [{"hour": 5}], "predictions": [0.5]})
    return {**RUN, "endpoint": "e", "release": "r-1"}, {**RUN, "run": "run-2", "endpoint": "e", "release": "r-1"}
