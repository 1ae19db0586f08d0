"""Keras models, SavedModels and frozen graphs, each trained a little and tried for real."""

import numpy as np
import pytest

from model_code.answers.golden import prove_golden
from model_code.importing import sandbox

tf = pytest.importorskip("tensorflow")
for package in ("tf2onnx", "onnxruntime"):
    pytest.importorskip(package)

ROWS = [{"income": 3.0, "owner": True, "region": "west"}, {"income": 1.0, "owner": False, "region": "north"}]
MATRIX = np.array([[3.0, 1.0, 2.0], [1.0, 0.0, 0.0]], np.float32)


@pytest.fixture(scope="module")
def net():
    """Learns a little which loans are repaid."""
    tf.keras.utils.set_random_seed(3)
    layers = [tf.keras.layers.Dense(8, "relu"), tf.keras.layers.Dense(1, "sigmoid")]
    model = tf.keras.Sequential([tf.keras.Input((3,), name="features"), *layers])
    model.compile("adam", "binary_crossentropy")
    number = np.arange(400)
    features = np.stack([number % 97 / 10, number % 2 == 0, number % 3], 1).astype(np.float32)
    model.fit(features, (number % 97 > 40).astype(np.float32), epochs=2, verbose=0)
    return model


def check(loans, file, expected):
    artefact, said = loans.artefact(file)
    assert (said["format"], set(said["made_with"])) == ("onnx", {"tensorflow", "keras", "tf2onnx"})
    assert said["compared"]["largest_difference"] < 1e-6
    np.testing.assert_allclose(artefact.scorer.score_rows(ROWS)[:, 1], np.ravel(expected), atol=1e-6)
    assert prove_golden(artefact) > 10


def test_a_keras_file(loans, net, tmp_path):
    net.save(tmp_path / "net.keras")
    check(loans, tmp_path / "net.keras", net(MATRIX))


def test_a_saved_model_as_a_folder_and_by_its_pb(loans, net, tmp_path):
    net.export(tmp_path / "net", verbose=False)
    check(loans, tmp_path / "net", net(MATRIX))
    check(loans, tmp_path / "net/saved_model.pb", net(MATRIX))


def test_a_saved_model_with_an_input_for_each_column(loans, tmp_path):
    class Named(tf.Module):
        @tf.function(
            input_signature=[
                tf.TensorSpec((None, 1), tf.float32, name="income"),
                tf.TensorSpec((None, 1), tf.float32, name="owner"),
            ]
        )
        def answer(self, income, owner):
            return {"probability": tf.sigmoid(income - 2 * owner)}

    model = Named()
    tf.saved_model.save(model, str(tmp_path / "named"), signatures={"serving_default": model.answer})
    check(loans, tmp_path / "named", tf.sigmoid([1.0, 1.0]))


def test_a_frozen_graph(loans, net, tmp_path):
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    function = tf.function(net).get_concrete_function(tf.TensorSpec((None, 3), tf.float32, name="features"))
    graph = convert_variables_to_constants_v2(function).graph.as_graph_def()
    (tmp_path / "net.pb").write_bytes(graph.SerializeToString())
    check(loans, tmp_path / "net.pb", net(MATRIX))


def test_a_lambda_layer_is_code_and_refused(loans, tmp_path):
    layers = [tf.keras.Input((3,)), tf.keras.layers.Lambda(lambda rows: rows[:, :1])]
    tf.keras.Sequential(layers).save(tmp_path / "code.keras")
    refusal = loans.refusal(tmp_path / "code.keras")
    assert refusal.startswith("Keras does not open code.keras: Requested the deserialization of a `Lambda` layer")
    assert refusal.endswith("; use Keras's own layers, or export to ONNX")


@tf.keras.utils.register_keras_serializable("mine")
class Own(tf.keras.layers.Layer):
    """A layer that only this test knows."""

    def call(self, rows):
        return rows[:, :1]


def test_a_layer_of_ones_own_is_named(loans, tmp_path):
    tf.keras.Sequential([tf.keras.Input((3,)), Own()]).save(tmp_path / "own.keras")
    assert loans.refusal(tmp_path / "own.keras") == (
        "Keras does not open own.keras: Could not locate class 'Own'; use Keras's own layers, or export to ONNX"
    )


def test_what_was_cut_off_is_refused_by_its_name(loans, net, tmp_path):
    net.save(tmp_path / "net.keras")
    (tmp_path / "net.keras").write_bytes((tmp_path / "net.keras").read_bytes()[:2000])
    assert loans.refusal(tmp_path / "net.keras").startswith(
        "net.keras is not a file of Keras 3: must be a zip archive; if it was cut off"
    )
    net.export(tmp_path / "net", verbose=False)
    (tmp_path / "net/saved_model.pb").write_bytes(b"nothing of the kind")
    assert "TensorFlow does not open the SavedModel: Cannot parse file b'saved_model.pb'" in loans.refusal(
        tmp_path / "net"
    )
    (tmp_path / "empty.pb").write_bytes(b"")
    assert loans.refusal(tmp_path / "empty.pb") == "the model has 0 inputs and 0 outputs; it needs at least one of each"


def test_a_graph_that_writes_files_fails_where_it_is_opened(loans, tmp_path):
    class Writes(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, name="features")])
        def answer(self, features):
            tf.io.write_file(str(tmp_path / "touched"), "x")
            return {"probability": tf.sigmoid(features[:, :1])}

    model = Writes()
    tf.saved_model.save(model, str(tmp_path / "writes"), signatures={"serving_default": model.answer})
    if sandbox.can_close_off():
        assert "saved_model cannot be opened and converted as SavedModel: " in loans.refusal(tmp_path / "writes")
        assert not (tmp_path / "touched").exists()


def test_what_does_not_fit_is_refused_by_name(loans, tmp_path):
    layers = [tf.keras.Input((9,), name="features"), tf.keras.layers.Dense(1, "sigmoid")]
    tf.keras.Sequential(layers).save(tmp_path / "wide.keras")
    assert "input 'features' has the shape (rows, 9): must be (rows, 3) for the contract's features" in loans.refusal(
        tmp_path / "wide.keras"
    )
    (tmp_path / "net.pb").write_bytes(b"nothing of the kind")
    assert "net.pb is not a TensorFlow graph" in loans.refusal(tmp_path / "net.pb")
