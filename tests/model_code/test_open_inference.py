"""The Open Inference Protocol v2, through HTTP and the whole way to the model."""

import json

import pytest

from model_code.answering import RequestRefused
from model_code.artefact import open_artefact
from model_code.open_inference import infer
from tests.model_code.serving import ROW, SECRET, ask, instances, serving

INPUTS = [
    {"name": "größe (cm)", "shape": [2], "datatype": "FP64", "data": [181.5, None]},
    {"name": "class", "shape": [2, 1], "datatype": "BYTES", "data": [[SECRET], [SECRET]]},
    {"name": "1st.order", "shape": [2], "datatype": "BOOL", "data": [True, True]},
    {"name": "shelf", "shape": [2], "datatype": "INT64", "data": [30, 1]},
]


@pytest.fixture(scope="module")
def server(returns, tmp_path_factory):
    model = str(returns.models["gradient_boosting"])
    with serving(tmp_path_factory.mktemp("empty"), MODEL_FOLDER=model, MODEL_NAME="late") as process:
        yield process


def asked(server, path, document=None):
    method, body = ("GET", b"") if document is None else ("POST", json.dumps(document).encode())
    status, _, reply = ask(server.port, method, path, body, Content_Type="application/json")
    return status, json.loads(reply)


def test_the_server_says_that_it_lives_is_ready_and_what_it_serves(server, returns):
    assert asked(server, "/v2/health/live") == (200, {"live": True})
    assert asked(server, "/v2/health/ready") == (200, {"ready": True})
    assert asked(server, "/v2") == (200, {"name": "fairway", "version": "2", "extensions": []})
    assert asked(server, "/v2/models/late/ready") == (200, {"name": "late", "ready": True})
    status, model = asked(server, "/v2/models/late")
    assert (status, model["name"], model["versions"]) == (
        200,
        "late",
        [open_artefact(returns.models["gradient_boosting"]).sha256],
    )
    assert model["inputs"][:2] == [
        {"name": "größe (cm)", "datatype": "FP64", "shape": [-1]},
        {"name": "class", "datatype": "BYTES", "shape": [-1]},
    ]
    assert model["outputs"] == [{"name": "predictions", "datatype": "FP64", "shape": [-1]}]
    assert asked(server, "/v2/models/other")[0] == 404
    assert asked(server, "/v2/models/late/infer")[0] == 405


def test_tensors_get_the_answers_of_rows(server):
    _, _, body = ask(server.port, body=instances(ROW, {**ROW, "größe (cm)": None, "shelf": 1}))
    expected = json.loads(body)["predictions"]
    status, reply = asked(server, "/v2/models/late/infer", {"id": "42", "inputs": INPUTS})
    assert (status, reply["id"], reply["model_name"]) == (200, "42", "late")
    assert reply["outputs"] == [{"name": "predictions", "datatype": "FP64", "shape": [2], "data": expected}]


def test_a_bad_row_has_its_reason_beside_the_answers_of_the_others(server):
    wrong = [*INPUTS[:3], {"name": "shelf", "shape": [2], "datatype": "INT64", "data": [30, 4]}]
    _, reply = asked(server, "/v2/models/late/infer", {"inputs": wrong})
    predictions, errors = reply["outputs"]
    assert predictions["data"][0] == pytest.approx(0.9, abs=0.1) and predictions["data"][1] is None
    assert errors == {
        "name": "errors",
        "datatype": "BYTES",
        "shape": [2],
        "data": ["", "shelf = 4: category, must be one of 1, 2, 30"],
    }


def test_of_several_classes_the_tensor_has_a_column_each(parcels):
    artefact = open_artefact(parcels.models["gradient_boosting"])
    inputs = [
        {"name": "weight", "shape": [2], "datatype": "FP32", "data": [9.0, -1.0]},
        {"name": "from", "shape": [2], "datatype": "BYTES", "data": ["C", "C"]},
    ]
    document, rows, refused = infer(artefact, "parcels", json.dumps({"inputs": inputs}).encode())
    output = document["outputs"][0]
    assert (rows, refused, output["shape"]) == (2, 1, [2, 3])
    assert sum(output["data"][:3]) == pytest.approx(1) and output["data"][3:] == [None] * 3


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ([], "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [{"shape": [1], "datatype": "FP64", "data": [1]}]}, "name"),
        ({"inputs": [INPUTS[0], INPUTS[0]]}, "'größe (cm)'"),
        ({"inputs": [{**INPUTS[0], "shape": [2, 2]}]}, "[2, 2]"),
        ({"inputs": [{**INPUTS[0], "shape": [3]}]}, "2 values"),
        ({"inputs": [{**INPUTS[0], "datatype": "BYTES"}]}, "'BYTES'"),
        ({"inputs": [{**INPUTS[0], "data": None, "parameters": {"binary_data_size": 16}}]}, "binary"),
        ({"inputs": [INPUTS[0], {**INPUTS[1], "shape": [1], "data": ["x"]}]}, "differ in length"),
    ],
)
def test_tensors_that_are_no_rows_are_refused_by_name(returns, document, named):
    artefact = open_artefact(returns.models["prior"])
    with pytest.raises(RequestRefused) as refusal:
        infer(artefact, "late", json.dumps(document).encode())
    assert refusal.value.status == 400 and named in str(refusal.value)
