import pytest

from lambdas.release.try_endpoint import EndpointNotReady, TrialFailed, handler
from tests.lambdas import stage

EVENT = {"endpoint": "flights-local-r-2", "run": "run-1", "model_uri": "s3://lake/model.tar.gz", "release": "r-2"}


def golden(aws, rows: int = 3, **values) -> None:
    aws.upload("runs/run-1/verdict.json", {"run": "run-1", "candidate": "gradient_boosting"})
    instances = [{"hour": n % 24, "distance": n} for n in range(rows)]
    document = {"instances": instances, "predictions": [n / 1000 for n in range(rows)], **values}
    aws.upload("runs/run-1/golden/gradient_boosting.json", document)


def test_an_endpoint_that_answers_as_in_training_passes(aws, model):
    golden(aws, rows=250)
    model.scores(lambda instance: instance["distance"] / 1000 + 1e-12)
    assert handler(EVENT, None) == {"checked": 250}
    assert [(endpoint, len(rows)) for endpoint, rows in model.calls] == [
        ("flights-local-r-2", n) for n in (100, 100, 50)
    ]


def test_an_endpoint_that_answers_otherwise_fails(aws, model):
    golden(aws)
    model.says([0.0, 0.001, 0.002001])
    with pytest.raises(TrialFailed) as failed:
        handler(EVENT, None)
    assert str(failed.value) == "flights-local-r-2 answers golden row 2 with 0.002001; training answered 0.002"


def test_golden_rows_of_a_model_in_float32_say_how_near_an_answer_must_be(aws, model):
    golden(aws, within=1e-5)
    model.says([0.0, 0.001, 0.002001])
    assert handler(EVENT, None) == {"checked": 3}


@pytest.mark.parametrize("answers", [[0.0], [0.0, 0.001, None], [0.0, 0.001, {"error": "?"}], "nonsense"])
def test_an_endpoint_that_talks_nonsense_fails(aws, model, answers):
    golden(aws)
    model.says(answers)
    with pytest.raises(TrialFailed):
        handler(EVENT, None)


@pytest.mark.parametrize("error", ["ModelNotReadyException", "ValidationError", "ThrottlingException", "ModelError"])
def test_an_endpoint_that_is_not_up_yet_is_worth_another_try(aws, model, error):
    golden(aws)
    model.fails(400, error, OriginalStatusCode=503)
    with pytest.raises(EndpointNotReady):
        handler(EVENT, None)


@pytest.mark.parametrize("wrong", [{"instances": [], "predictions": []}, {"predictions": [0.0]}])
def test_without_a_golden_row_nothing_is_proven(aws, model, wrong):
    golden(aws, **wrong)
    with pytest.raises(TrialFailed):
        handler(EVENT, None)


def test_golden_rows_that_are_missing_are_named(aws, model):
    with pytest.raises(TrialFailed) as failed:
        handler(EVENT, None)
    assert str(failed.value) == f"s3://{stage.LAKE}/runs/run-1/verdict.json is not there; train again"
    aws.upload("runs/run-1/verdict.json", {"run": "run-1", "candidate": "prior"})
    with pytest.raises(TrialFailed) as failed:
        handler(EVENT, None)
    assert str(failed.value) == f"s3://{stage.LAKE}/runs/run-1/golden/prior.json is not there; train again"
