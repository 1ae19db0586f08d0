"""The API of a project, for code generators."""

import json

from domain.contract.file import read_contract
from domain.request.openapi import document
from fairway.cli import main


def test_it_prints_the_description_of_the_project_s_contract(capsys, project):
    assert main(["openapi", "--project", str(project), "--url", "https://abc.example.com", "--json"]) == 0
    contract = read_contract(project / "flights/contract.toml", "binary")
    printed = json.loads(capsys.readouterr().out)
    assert printed == document(contract, project="flights", url="https://abc.example.com")


def test_a_wrong_project_is_refused_by_name(capsys, tmp_path):
    assert main(["openapi", "--project", str(tmp_path), "--json"]) == 2
    assert str(tmp_path / "fairway.toml") in json.loads(capsys.readouterr().out)["message"]
