"""The container as it ships, for SageMaker and for anywhere else: every verb on a read-only root file system, without
network, rights, compiler or installer.
"""

import json

import pyarrow.parquet as pq
import pytest

from model_code.artefact.folder import open_artefact
from tests.container.conftest import LOCKED, NOBODY, is_healthy, podman
from tests.model_code.folders import evaluation_folder, scoring_folder, training_folder, write_json
from tests.model_code.importing.graphs import sums
from tests.model_code.importing.imports import Importer

ASK = """
import json, sys, urllib.request
request = urllib.request.Request("http://127.0.0.1:8080/invocations", sys.argv[1].encode(),
    {"content-type": "application/json"})
print(urllib.request.urlopen(request, timeout=10).read().decode())
"""

# Whom the server, process 1, and its group run as: real, effective, saved, for files.
WHO = """
from pathlib import Path
for line in Path("/proc/1/status").read_text().splitlines():
    if line.startswith(("Uid:", "Gid:")):
        print(line.partition(":")[2])
"""


@pytest.fixture(scope="module")
def trained(run, returns, tmp_path_factory):
    """A model folder that the container trained."""
    base = training_folder(tmp_path_factory.mktemp("train"), *returns)
    run("train", base)
    return base / "model"


def test_what_the_container_trained_is_whole_and_a_plan(trained):
    artefact = open_artefact(trained)
    assert (artefact.manifest["candidate"], artefact.manifest["format"]) == ("gradient_boosting", "plan")


def test_it_serves_the_golden_rows_by_its_own_kernel_and_is_healthy(trained, served):
    golden = open_artefact(trained).golden
    name = served(trained, "--env", f"ARTEFACT_SHA256={open_artefact(trained).sha256}")
    reply = podman("exec", name, "python", "-c", ASK, json.dumps({"instances": golden["instances"]})).stdout
    assert json.loads(reply)["predictions"] == pytest.approx(golden["predictions"], rel=1e-9)
    ready = next(json.loads(line) for line in podman("logs", name).stdout.splitlines() if '"ready"' in line)
    assert ready["engine"] == "kernel"
    assert set(podman("exec", name, "python", "-c", WHO).stdout.split()) == {str(NOBODY)}


def test_a_container_that_does_not_serve_is_not_healthy(image, started):
    name = started("--entrypoint", "python", image.name, "-c", "import time; time.sleep(60)")
    assert not is_healthy(name)


def test_it_serves_a_model_that_came_as_tensors(returns, served, tmp_path):
    """Converted from a formula, and asked for what the formula says."""
    importer = Importer(tmp_path, *returns)
    artefact, said = importer.artefact(
        sums(tmp_path / "m.onnx", {"größe (cm)": "float", "class": "str"}, {"class": "Sorte 1 ß"})
    )
    assert said["format"] == "onnx"
    name = served(importer.folder / "artefact-1")
    golden = artefact.golden
    reply = podman("exec", name, "python", "-c", ASK, json.dumps({"instances": golden["instances"]})).stdout
    assert json.loads(reply)["predictions"] == pytest.approx(golden["predictions"], abs=golden["within"])


def test_it_does_not_serve_another_artefact_than_the_signed_one(image, trained):
    other = ["--env", f"ARTEFACT_SHA256={'0' * 64}"]
    done = podman("run", "--rm", *LOCKED, "-v", f"{trained}:/opt/ml/model:ro", *other, image.name, check=False)
    assert done.returncode == 1
    assert "manifest.json is not the one that was signed" in done.stderr


def test_it_evaluates_and_scores(run, returns, trained, tmp_path):
    contract, rows = returns
    evaluate = evaluation_folder(tmp_path / "evaluate", contract, rows, {"gradient_boosting": trained})
    run("evaluate", evaluate)
    evaluation = json.loads((evaluate / "processing/output/evaluation/evaluation.json").read_text())
    assert evaluation["candidates"]["gradient_boosting"]["artefact_sha256"] == open_artefact(trained).sha256

    score = scoring_folder(tmp_path / "score", contract, trained)
    sent = [{name: value for name, value in row.items() if name != contract.target.name} for row in rows[:50]]
    (score / "processing/input/rows/part.jsonl").write_text("".join(json.dumps(row) + "\n" for row in sent))
    run("score", score)
    summary = json.loads((score / "processing/output/summary/part.jsonl-000000000001.json").read_text())
    assert (summary["read"], summary["scored"], summary["quarantined"]) == (50, 50, 0)
    assert len(pq.read_table(score / "processing/output/predictions/part.jsonl-000000000001.parquet")) == 50


def test_a_failing_job_says_why_where_sagemaker_looks(run, returns, tmp_path):
    base = training_folder(tmp_path / "train", *returns, candidate="nothing_of_ours")
    write_json(base / "output/placeholder", {})
    assert run("train", base, check=False).returncode == 1
    assert "nothing_of_ours" in (base / "output/failure").read_text()


LOOK = """
import os, pathlib, shutil
tools = "cc gcc g++ clang make ld apt apt-get dpkg pip pip3 uv"
found = [name for name in tools.split() if shutil.which(name)]
try:
    import pip
    found.append("the module pip")
except ImportError:
    pass
try:
    pathlib.Path("/app/changed").touch()
    found.append("a root file system to write to")
except OSError:
    pass
for folder, _, names in os.walk("/"):
    there = (os.path.join(folder, name) for name in names if not folder.startswith(("/proc", "/sys")))
    found += [path for path in there if os.lstat(path).st_mode & 0o6000]
print(os.getuid(), found)
"""


def test_there_is_nothing_to_build_install_or_change_anything_with(image):
    looked = podman("run", "--rm", *LOCKED, "--entrypoint", "python", image.name, "-c", LOOK)
    assert looked.stdout.strip() == f"{image.user} []"


def test_it_is_no_larger_than_it_was_when_this_was_written(image):
    assert int(podman("image", "inspect", "--format", "{{.Size}}", image.name).stdout) < 650e6
