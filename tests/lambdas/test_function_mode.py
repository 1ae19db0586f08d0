"""A stage without endpoints under the Lambda runtime interface emulator: a new process answers with the model."""

import os
import platform
import shutil

import pytest

from infra.parts.kernel import kernel_of_functions
from model_code import kernel
from tests.lambdas import emulator, trained
from tests.lambdas.emulator import Emulator
from tests.lambdas.http_api import answered, event_of
from tests.lambdas.request.predict.asking import ROW, row
from tests.lambdas.request.test_asking import score
from tests.lambdas.test_runtime import AWS
from tests.lambdas.trained import KEY, URI

pytestmark = [
    pytest.mark.xdist_group("runtime"),
    pytest.mark.skipif(not kernel.BUILT, reason="the kernel is not built"),
]
HANDLER = "lambdas.request.predict.handler"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """(the zip's folder, predict's environment) of a stage in function mode, with time for a busy machine."""
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(emulator.ROOT / "flights", project / "flights", ignore=shutil.ignore_patterns("*.py"))
    settings = (emulator.ROOT / "fairway.toml").read_text()
    changed = settings.replace('mode = "serverless"', 'mode = "function"').replace(
        "deadline_ms = 1500", "deadline_ms = 20000"
    )
    assert ('"serverless"' in changed, changed.count("20000")) == (False, 1)
    (project / "fairway.toml").write_text(changed)
    zip_root, functions = emulator.synthesised(tmp_path_factory.mktemp("assembly"), project=str(project))
    return zip_root, functions[HANDLER]


@pytest.fixture
def predict(deployed, tmp_path):
    """Starts predict as a cold start does: a process of its own, and nothing in /tmp."""
    try:
        emulator.binary()
    except emulator.NoEmulator as error:
        pytest.skip(str(error))
    zip_root, variables = deployed
    given = {name: value if isinstance(value, str) else os.environ[name] for name, value in variables.items()}
    aws = {name: os.environ[name] for name in AWS} | {"AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL_DYNAMODB"]}
    (tmp_path / "tmp").mkdir()

    def predict(zip_root=zip_root) -> Emulator:
        shutil.rmtree(tmp_path / "tmp")
        (tmp_path / "tmp").mkdir()
        return Emulator(zip_root, HANDLER, {**given, **aws, "TMPDIR": str(tmp_path / "tmp")})

    return predict


@pytest.fixture
def released(aws):
    folder = trained.model()
    aws.upload(KEY, trained.archive_of(folder))
    aws.released(model_uri=URI, sha256=trained.signed(folder))
    aws.route()
    return folder


def test_the_first_answer_after_an_idle_time_is_the_model_s_within_the_deadline(model, released, predict):
    """What is idle for half an hour is a new process: an answer beyond the deadline would be the fallback's."""
    for _ in range(2):
        with predict() as function:
            status, answer = answered(function.invoke(event_of("POST /predictions", ROW)))
        assert (status, answer["source"], answer["reason"]) == (200, "function", "champion")
        assert answer["probability"] == score(released, ROW)
    assert model.calls == []


@pytest.mark.skipif(platform.machine() != "x86_64", reason="runs the functions' kernel for x86-64")
def test_the_kernel_as_it_goes_to_aws_answers_as_the_endpoint_to_the_last_bit(deployed, released, predict, tmp_path):
    """That for Graviton is made of the same sources, flags and library by the same compiler; nothing here runs it."""
    zip_root = shutil.copytree(deployed[0], tmp_path / "zip")
    (own,) = zip_root.rglob("_kernel*.so")
    own.unlink()
    made = kernel_of_functions(local=False, target="x86_64-linux-gnu.2.34")
    shutil.copyfile(made, own.parent / made.name)
    rows = [row(f"AA-{n}", hour=n % 24, distance=100 + n, carrier="AA") for n in range(50)]
    with predict(zip_root) as function:
        status, document = answered(function.invoke(event_of("POST /predictions", rows)))
    assert status == 200
    assert [one["probability"] for one in document["predictions"]] == [score(released, one) for one in rows]
    assert {one["source"] for one in document["predictions"]} == {"function"}
