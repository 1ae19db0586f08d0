"""What the documents say is true: every command exists, every setting is described, every path is there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fairway.cli import main
from fairway.client.replies import Prediction

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands_of_the_readme() -> list[str]:
    words = re.findall(r"(?<![\w/-])fairway ([a-z]+(?:-[a-z]+)*)\b", "\n".join(code_of(README)))
    return sorted(set(words) - {"toml"})


def code_of(page: str) -> list[str]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return [text for language, text in blocks if language in ("", "sh", "text")] + re.findall(r"`([^`\n]+)`", page)


def test_the_readme_names_every_command(capsys):
    main(["--help"])
    listed = capsys.readouterr().out.split("Commands:")[1]
    commands = re.findall(r"^  ([a-z]+(?:-[a-z]+)*)  ", listed, re.MULTILINE)
    assert {"init", "batch", "prices"} <= set(commands) <= set(commands_of_the_readme())


@pytest.mark.parametrize("command", commands_of_the_readme())
def test_every_command_of_the_readme_exists_and_explains_itself(capsys, command):
    code = main([command, "--help"])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert "Usage: fairway" in printed.out


def test_the_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"`?make ([a-z-]+)", README))
    assert {"demo", "test", "down", "deploy"} <= named
    assert {target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()


def test_the_settings_page_is_what_the_settings_are():
    written = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    words, found_there = [sys.executable, ROOT / "docs/settings.py"], {**os.environ, "PYTHONPATH": str(ROOT)}
    made = subprocess.run(words, env=found_there, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert made.stdout == written, "run: python docs/settings.py > docs/settings.md"


def test_the_file_tree_of_the_readme_names_what_is_there():
    tree = README.split("## Where things are")[1].split("```")[1]
    named = paths_of(tree)
    assert len(named) > 50
    assert [name for name in named if not (ROOT / name).exists()] == []


def paths_of(tree: str) -> list[str]:
    """Full paths from the indented tree: `name   what it is`, two spaces deeper in a folder."""
    found, folder = [], ""
    for line in filter(str.strip, tree.removeprefix("text").splitlines()):
        name = line.split()[0]
        folder = name if not line.startswith(" ") else folder
        found.append(name if not line.startswith(" ") else folder + name)
    return found


def test_the_api_page_describes_every_field_of_an_answer_and_shows_no_other():
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    table = page.split("| field | is |")[1].split("\n\n")[0]
    described = {name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    shown = json.loads(re.findall(r"^```json\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)[0])
    assert described == set(Prediction.__annotations__)
    assert set(shown) <= described


def test_links_between_the_documents_lead_somewhere():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    links = [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    ]
    assert len(links) > 5
    assert [(page.name, target) for page, target in links if not (page.parent / target).exists()] == []


def test_every_path_that_the_documents_name_exists():
    """docs/decisions.md is history, and may name what is gone."""
    tops = "domain|infra|lambdas|model_code|fairway|local|tests|bench|docs|flights|packages"
    path = re.compile(rf"(?<![\w./{{}}-])((?:{tops})/[\w./-]*\w)")
    pages = [*ROOT.glob("*.md"), *(page for page in (ROOT / "docs").glob("*.md") if page.name != "decisions.md")]
    named = {name for page in pages for name in path.findall(page.read_text(encoding="utf-8"))}
    assert len(named) > 100
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_no_document_or_source_names_a_folder_of_somebodys_machine():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    texts = [ROOT / name for name in listed if Path(name).suffix in {".py", ".md", ".toml", ".yml", ".yaml", ".sh"}]
    home = re.compile(r"(?<![\w.])/(?:home|Users|root)/\w+")
    assert len(texts) > 100
    assert [file.name for file in texts if file.exists() and home.search(file.read_text(encoding="utf-8"))] == []
