"""PyTorch models in every form that they are saved in, each trained a little and tried for real."""

import io
import os
import zipfile

import numpy as np
import pytest

from model_code.answers.golden import prove_golden

torch = pytest.importorskip("torch")
for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package)

ROWS = [{"income": 3.0, "owner": True, "region": "west"}, {"income": 1.0, "owner": False, "region": "north"}]
MATRIX = torch.tensor([[3.0, 1.0, 2.0], [1.0, 0.0, 0.0]])
NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.last = torch.nn.Linear(3, 8), torch.nn.Linear(8, 1)

    def forward(self, features):
        return torch.sigmoid(self.last(torch.relu(self.hidden(features)))).squeeze(1)
"""


@pytest.fixture(scope="module")
def net():
    """Learns a little which loans are repaid."""
    torch.manual_seed(3)
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1), torch.nn.Sigmoid())
    income = torch.arange(400) % 97 / 10
    features = torch.stack([income, (torch.arange(400) % 2 == 0).float(), (torch.arange(400) % 3).float()], 1)
    fit = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(30):
        fit.zero_grad()
        torch.nn.functional.binary_cross_entropy(model(features)[:, 0], (income > 4).float()).backward()
        fit.step()
    return model.eval()


def check(loans, net, file, **options):
    artefact, said = loans.artefact(file, **options)
    assert (said["format"], list(said["made_with"])) == ("onnx", ["torch"])
    assert said["compared"]["largest_difference"] < 1e-6
    with torch.no_grad():
        expected = net(MATRIX).numpy().reshape(-1)
    np.testing.assert_allclose(artefact.scorer.score_rows(ROWS)[:, 1], expected, atol=1e-6)
    assert prove_golden(artefact) > 10


def test_an_exported_program(loans, net, tmp_path):
    rows = torch.export.Dim("rows")
    torch.export.save(torch.export.export(net, (MATRIX,), dynamic_shapes=({0: rows},)), tmp_path / "net.pt2")
    assert "--trust" in loans.refusal(tmp_path / "net.pt2")
    check(loans, net, tmp_path / "net.pt2", trust=True)


class Runs:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("true",)


def test_a_program_that_would_run_something_is_refused_before_pytorch_opens_it(loans, net, tmp_path):
    """By itself PyTorch would: what its safe unpickler refuses in the example's inputs, it gives to the unsafe one."""
    torch.export.save(torch.export.export(net, (MATRIX,)), tmp_path / "net.pt2")
    evil = io.BytesIO()
    torch.save(((Runs(),), {}), evil)
    with zipfile.ZipFile(tmp_path / "net.pt2") as old, zipfile.ZipFile(tmp_path / "evil.pt2", "w") as new:
        for name in old.namelist():
            new.writestr(name, evil.getvalue() if "sample_inputs" in name else old.read(name))
    assert "evil.pt2 names posix.system" in loans.refusal(tmp_path / "evil.pt2", trust=True)


def test_a_program_exported_for_so_many_rows_is_refused(loans, net, tmp_path):
    torch.export.save(torch.export.export(net, (MATRIX,)), tmp_path / "net.pt2")
    refusal = loans.refusal(tmp_path / "net.pt2", trust=True)
    assert "size()[0] == 2" in refusal and "any number of rows" in refusal


def test_torch_script(loans, net, tmp_path):
    torch.jit.script(net).save(str(tmp_path / "net.pt"))
    check(loans, net, tmp_path / "net.pt")


def test_a_whole_module_of_torchs_own_layers_when_it_is_trusted(loans, net, tmp_path):
    torch.save(net, tmp_path / "net.pt")
    assert "--trust" in loans.refusal(tmp_path / "net.pt")
    check(loans, net, tmp_path / "net.pt", trust=True)


def test_a_state_dict_with_its_module(loans, net, tmp_path):
    (tmp_path / "net.py").write_text(NET)
    names = {"0.weight": "hidden.weight", "0.bias": "hidden.bias", "2.weight": "last.weight", "2.bias": "last.bias"}
    torch.save({names[name]: value for name, value in net.state_dict().items()}, tmp_path / "net.pth")
    check(loans, net, tmp_path / "net.pth", trust=True, module=f"{tmp_path}/net.py:Net")
    assert "must define a torch.nn.Module Other" in loans.refusal(
        tmp_path / "net.pth", trust=True, module=f"{tmp_path}/net.py:Other"
    )
    torch.save(net.state_dict(), tmp_path / "other.pth")
    wrong = loans.refusal(tmp_path / "other.pth", trust=True, module=f"{tmp_path}/net.py:Net")
    assert "does not accept these weights" in wrong and "hidden.weight" in wrong
    assert "name the class they belong to with --module" in loans.refusal(tmp_path / "net.pth", trust=True)


@pytest.mark.parametrize(
    ("code", "named", "said"),
    [
        (
            "import nothing_of_the_kind",
            ":Net",
            "net.py cannot be imported: ModuleNotFoundError: No module named 'nothing_of_the_kind'",
        ),
        ("class Net(:", ":Net", "net.py cannot be imported: SyntaxError: invalid syntax"),
        (NET.replace("__init__(self)", "__init__(self, wide)"), ":Net", "Net() fails: TypeError: "),
        ("def Net(): 1", ":Net", "net.py must define a torch.nn.Module Net"),
        ("", "", "net.py: must name a class; write FILE.py:CLASS"),
    ],
)
def test_a_module_that_does_not_work_is_refused_with_its_own_words(loans, net, tmp_path, code, named, said):
    (tmp_path / "net.py").write_text(code)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    refusal = loans.refusal(tmp_path / "net.pth", trust=True, module=f"{tmp_path}/net.py{named}")
    assert refusal.startswith(f"--module {tmp_path}/net.py{named}") and said in refusal


class Mine(torch.nn.Module):
    def forward(self, features):
        return features[:, :1]


def test_a_module_of_a_class_of_its_own_is_refused_by_name(loans, tmp_path):
    torch.save(Mine(), tmp_path / "mine.pt")
    assert "test_torch.Mine" in loans.refusal(tmp_path / "mine.pt", trust=True)


def test_a_model_of_another_width_is_refused(loans, tmp_path):
    torch.jit.script(torch.nn.Sequential(torch.nn.Linear(9, 1), torch.nn.Sigmoid())).save(str(tmp_path / "w.pt"))
    refusal = loans.refusal(tmp_path / "w.pt")
    assert "RuntimeError: mat1 and mat2 shapes cannot be multiplied (400x3 and 9x1)" in refusal
    assert "the contract's features are 3 columns, with --encoding one-hot 5" in refusal
