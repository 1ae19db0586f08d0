"""Every mistake in the project's files, at once."""

import json

from fairway.cli import main


def check(capsys, folder) -> tuple[int, str]:
    code = main(["check", "--project", str(folder), "--json"])
    said = json.loads(capsys.readouterr().out)
    return code, said.get("message", said)


def test_the_reference_project_is_fine_for_every_stage(capsys, project):
    code, said = check(capsys, project)
    assert code == 0
    assert {**said, "contract_hash": ""} == {
        "ok": True,
        "project": "flights",
        "stages": ["local", "dev", "staging", "prod"],
        "contract": "flights",
        "contract_hash": "",
        "columns": 24,
    }


def test_the_problems_of_settings_stages_and_contract_are_listed_together(capsys, project):
    replace(
        project / "fairway.toml",
        ("deadline_ms = 1500", 'deadline_ms = "fast"'),
        ("budget.monthly_usd = 150.0", "budget.monthly_eur = 150.0"),
    )
    replace(
        project / "flights/contract.toml", ("prior = 0.24", "prior = 24"), ('key = ["flight_id"]', 'key = ["flight"]')
    )
    code, said = check(capsys, project)
    assert code == 2
    lines = said.splitlines()
    assert [line.partition(": ")[0].rpartition("/")[2] for line in lines] == [
        "fairway.toml",
        "fairway.toml",
        "contract.toml",
    ]
    assert "serving.deadline_ms = 'fast': must be a whole number" in lines[0]
    assert "stages.prod.budget.monthly_eur: must be one of the settings" in lines[1]
    assert "key = 'flight': must be one of the columns" in lines[2]


def test_a_hyperparameter_that_the_estimator_does_not_have_is_named_with_the_one_meant(capsys, project):
    with (project / "fairway.toml").open("a") as file:
        file.write("\n[stages.dev.training]\nparameters.gradient_boosting = { learning_rat = 0.1, max_iter = 0 }\n")
    code, said = check(capsys, project)
    name = f"{project / 'fairway.toml'}: stages.dev.training.parameters.gradient_boosting"
    estimator = "HistGradientBoostingClassifier"
    assert (code, said.splitlines()) == (
        2,
        [
            f"{name}.learning_rat = 0.1: is not a hyperparameter of {estimator}; did you mean learning_rate?",
            f"{name}.max_iter = 0: must be a whole number at least 1",
        ],
    )


def replace(file, *changes) -> None:
    text = file.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)


def test_a_contract_that_is_not_there_is_named_with_the_setting_that_names_it(capsys, project):
    (project / "flights/contract.toml").unlink()
    code, said = check(capsys, project)
    assert code == 2
    assert said == (
        f"{project / 'flights/contract.toml'}: not found; project.contract names the contract's "
        "file, relative to fairway.toml"
    )


def test_a_folder_without_a_project_says_how_to_draft_one(capsys, tmp_path):
    code, said = check(capsys, tmp_path)
    assert (code, said) == (
        2,
        (
            f"{tmp_path / 'fairway.toml'}: not found; `fairway init --project {tmp_path} --data FILE "
            "--target COLUMN` drafts one"
        ),
    )
