"""What `fairway import` refuses before anything is opened; tests/journeys/test_import.py brings models all the way."""

import json


def test_a_file_that_is_not_there_and_a_name_that_cannot_be_are_refused(place, tmp_path):
    code, out, _ = place.run("import", tmp_path / "none.joblib", "--json")
    assert (code, json.loads(out)) == (2, {"error": "file", "message": f"{tmp_path}/none.joblib: No such file or directory"})
    (tmp_path / "m.onnx").write_bytes(b"x")
    code, out, _ = place.run("import", tmp_path / "m.onnx", "--name", "My Model", "--json")
    assert (code, "--name 'My Model': a candidate's name has" in json.loads(out)["message"]) == (2, True)


def test_without_rows_in_the_lake_there_is_nothing_to_try_a_model_on(place, tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"x")
    code, out, _ = place.run("import", tmp_path / "m.onnx", "--json")
    assert (code, json.loads(out)["error"]) == (2, "no_rows")
