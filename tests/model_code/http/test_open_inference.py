"""The Open Inference Protocol v2, through HTTP and the whole way to the model."""

import json
import struct

import pytest

from model_code.answers.reply import RequestRefused
from model_code.artefact.folder import open_artefact
from model_code.http.binary_tensors import FORMATS, TensorRefused, read_tensor, written
from model_code.http.open_inference import infer
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
    assert asked(server, "/v2") == (200, {"name": "fairway", "version": "2", "extensions": ["binary_tensor_data"]})
    assert asked(server, "/v2/models/late/ready") == (200, {"name": "late", "ready": True})
    status, model = asked(server, "/v2/models/late")
    version = open_artefact(returns.models["gradient_boosting"]).sha256
    assert (status, model["name"], model["versions"], model["platform"]) == (200, "late", [version], "fairway_plan")
    assert asked(server, f"/v2/models/late/versions/{version}") == (status, model)
    assert asked(server, f"/v2/models/late/versions/{version}/ready") == (200, {"name": "late", "ready": True})
    assert asked(server, "/v2/models/late/versions/1/ready")[0] == 404
    assert model["inputs"][:2] == [
        {"name": "größe (cm)", "datatype": "FP64", "shape": [-1]},
        {"name": "class", "datatype": "BYTES", "shape": [-1]},
    ]
    assert model["outputs"] == [{"name": "predictions", "datatype": "FP64", "shape": [-1]}]
    assert asked(server, "/v2/models/other")[0] == 404
    assert asked(server, "/v2/models/late/infer") == (405, {"error": "GET /v2/models/late/infer: use POST"})


def test_tensors_get_the_answers_of_rows(server):
    _, _, body = ask(server.port, body=instances(ROW, {**ROW, "größe (cm)": None, "shelf": 1}))
    expected = json.loads(body)["predictions"]
    status, reply = asked(server, "/v2/models/late/infer", {"id": "42", "inputs": INPUTS})
    version = reply["model_version"]
    outputs = [{"name": "predictions", "datatype": "FP64", "shape": [2], "data": expected}]
    assert (status, reply) == (200, {"model_name": "late", "model_version": version, "id": "42", "outputs": outputs})
    for wanted in ({"name": "predictions"}, "predictions"):
        document = {"inputs": INPUTS, "outputs": [wanted]}
        assert asked(server, f"/v2/models/late/versions/{version}/infer", document)[1]["outputs"] == outputs


def in_binary(inputs, **more):
    """The body of a request whose inputs are all in binary form, and the length of its JSON."""
    tensors = [written(one["datatype"], flat(one["data"])) for one in inputs]
    heads = [{**one, "parameters": {"binary_data_size": len(data)}} for one, data in zip(inputs, tensors, strict=True)]
    for head in heads:
        del head["data"]
    document = json.dumps({"inputs": heads, **more}).encode()
    return document + b"".join(tensors), len(document)


def flat(data):
    return [value[0] if isinstance(value, list) else value for value in data]


def test_tensors_in_binary_form_get_the_same_answers_in_the_form_that_is_asked_for(server):
    expected = asked(server, "/v2/models/late/infer", {"inputs": INPUTS})[1]["outputs"]
    path, kind = "/v2/models/late/infer", "application/octet-stream"
    body, length = in_binary(INPUTS)
    _, headers, reply = ask(
        server.port, path=path, body=body, Inference_Header_Content_Length=str(length), Content_Type=kind
    )
    assert (headers["content-type"], json.loads(reply)["outputs"]) == ("application/json", expected)
    for more in (
        {"parameters": {"binary_data_output": True}},
        {"outputs": [{"name": "predictions", "parameters": {"binary_data": True}}]},
    ):
        body, length = in_binary(INPUTS, **more)
        _, headers, reply = ask(
            server.port, path=path, body=body, Inference_Header_Content_Length=str(length), Content_Type=kind
        )
        end = int(headers["inference-header-content-length"])
        (output,) = json.loads(reply[:end])["outputs"]
        assert headers["content-type"] == kind
        assert output == {
            "name": "predictions",
            "datatype": "FP64",
            "shape": [2],
            "parameters": {"binary_data_size": 16},
        }
        assert struct.unpack("<2d", reply[end:]) == tuple(expected[0]["data"])


def test_what_is_refused_is_described_as_the_protocol_has_it(server):
    status, reply = asked(server, "/v2/models/late/infer", {"inputs": INPUTS, "outputs": [{"name": "odds"}]})
    assert (status, reply) == (400, {"error": "output 'odds': must be predictions or errors"})
    body, _ = in_binary(INPUTS)
    for length in ("-1", "x", str(len(body) + 1)):
        status, _, reply = ask(
            server.port, path="/v2/models/late/infer", body=body, Inference_Header_Content_Length=length
        )
        allowed = f"must be a whole number up to {len(body)}, the length of the body"
        message = f"header Inference-Header-Content-Length = {length}: {allowed}"
        assert (status, json.loads(reply)) == (400, {"error": message})
    status, reply = asked(server, "/v2/models/late/infer", {"id": "\ud800", "inputs": INPUTS})
    assert (status, reply["id"]) == (200, "\ud800")


@pytest.mark.parametrize("datatype", [*FORMATS, "BYTES"])
def test_a_tensor_is_read_as_it_is_written(datatype):
    values = {"BOOL": [True, False], "BYTES": ["", "Sorte 7 ß"]}.get(datatype, [0, 1, 100])
    assert read_tensor(datatype, written(datatype, values)) == values


def test_where_a_number_is_missing_a_tensor_has_nan():
    assert str(read_tensor("FP64", written("FP64", [None, 1.5]))) == "[nan, 1.5]"


@pytest.mark.parametrize(
    ("datatype", "data", "named"),
    [
        ("FP64", bytes(9), "9 bytes: must be a multiple of 8"),
        ("BF16", bytes(2), "'BF16'"),
        ("BYTES", b"\x02\0\0\0a", "cut off"),
        ("BYTES", b"\x02\0", "cut off"),
        ("BYTES", b"\x01\0\0\0\xff", "UTF-8"),
    ],
)
def test_bytes_that_are_no_such_tensor_are_refused(datatype, data, named):
    with pytest.raises(TensorRefused, match=named):
        read_tensor(datatype, data)


@pytest.mark.parametrize(
    ("more", "json_bytes", "named"),
    [
        ({}, 0, "not JSON"),
        ({"parameters": {"binary_data_size": 16}, "datatype": {}}, None, "datatype = {}: must be one of BYTES, BOOL"),
        (
            {"parameters": {"binary_data_size": 17}},
            None,
            "'größe (cm)': binary_data_size = 17: must be at most 16",
        ),
        ({"parameters": {"binary_data_size": -1}}, None, "-1"),
        ({"parameters": {"binary_data_size": 8}}, None, "8 bytes behind the JSON: must belong to an input"),
        ({"parameters": {"binary_data_size": 16}, "datatype": "BYTES"}, None, "cut off"),
        ({}, None, "16 bytes behind the JSON: must belong to an input"),
    ],
)
def test_binary_tensors_that_do_not_fit_their_json_are_refused_by_name(returns, more, json_bytes, named):
    document = json.dumps({"inputs": [{"name": "größe (cm)", "shape": [2], "datatype": "FP64", **more}]}).encode()
    with pytest.raises(RequestRefused) as refusal:
        infer(
            open_artefact(returns.models["prior"]),
            "late",
            document + bytes(range(16)),
            len(document) if json_bytes is None else json_bytes,
        )
    assert refusal.value.status == 400 and named in str(refusal.value)


def test_a_bad_row_has_its_reason_beside_the_answers_of_the_others(server):
    wrong = [*INPUTS[:3], {"name": "shelf", "shape": [2], "datatype": "INT64", "data": [30, 4]}]
    _, reply = asked(server, "/v2/models/late/infer", {"inputs": wrong})
    predictions, errors = reply["outputs"]
    assert predictions["data"][0] == pytest.approx(0.9, abs=0.1) and predictions["data"][1] is None
    assert errors == {
        "name": "errors",
        "datatype": "BYTES",
        "shape": [2],
        "data": ["", "shelf = 4: must be one of 1, 2, 30"],
    }


def test_of_several_classes_the_tensor_has_a_column_each(parcels):
    artefact = open_artefact(parcels.models["gradient_boosting"])
    inputs = [
        {"name": "weight", "shape": [2], "datatype": "FP32", "data": [9.0, -1.0]},
        {"name": "from", "shape": [2], "datatype": "BYTES", "data": ["C", "C"]},
    ]
    reply = infer(artefact, "parcels", json.dumps({"inputs": inputs}).encode())
    output = json.loads(reply.body)["outputs"][0]
    assert (reply.rows, reply.refused, output["shape"]) == (2, 1, [2, 3])
    assert sum(output["data"][:3]) == pytest.approx(1) and output["data"][3:] == [None] * 3


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ([], "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [{"shape": [1], "datatype": "FP64", "data": [1]}]}, "name"),
        ({"inputs": [INPUTS[0], INPUTS[0]]}, "'größe (cm)'"),
        ({"inputs": [{**INPUTS[0], "shape": [2, 2]}]}, "[2, 2]"),
        ({"inputs": [{**INPUTS[0], "shape": [3]}]}, "2 values: must be 3"),
        ({"inputs": [{**INPUTS[0], "datatype": "BYTES"}]}, "'BYTES'"),
        ({"inputs": [{**INPUTS[0], "datatype": ["FP64"]}]}, "['FP64']"),
        (
            {"inputs": [{**INPUTS[0], "data": None, "parameters": {"binary_data_size": 16}}]},
            "Inference-Header-Content-Length",
        ),
        ({"inputs": [{**INPUTS[0], "name": "input-0", "shape": [2, 4]}]}, "one input for each column"),
        ({"inputs": [{**INPUTS[0], "name": "stranger"}]}, "'stranger': must be a column of the contract 'returns'"),
        ({"inputs": INPUTS, "outputs": "predictions"}, "must be a list"),
        ({"inputs": INPUTS, "outputs": ["predictions", None]}, "None"),
        ({"inputs": [INPUTS[0], {**INPUTS[1], "shape": [1], "data": ["x"]}]}, "differ in length"),
    ],
)
def test_tensors_that_are_no_rows_are_refused_by_name(returns, document, named):
    artefact = open_artefact(returns.models["prior"])
    with pytest.raises(RequestRefused) as refusal:
        infer(artefact, "late", json.dumps(document).encode())
    assert refusal.value.status == 400 and named in str(refusal.value)
