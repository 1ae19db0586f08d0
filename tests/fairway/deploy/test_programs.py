"""Programs of others: what they print is kept, what they fail with is told, and none outlives the command."""

import os
import sys

import pytest

from fairway.deploy.programs import Logged
from fairway.terminal.errors import Failed


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def programs(tmp_path, told) -> Logged:
    return Logged(tmp_path / "dev.log", told.append, {"GREETING": "hello"})


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_each_line_is_told_and_logged_in_the_order_it_was_printed(programs, told, tmp_path):
    code = "import os, sys; print(os.environ['GREETING'], flush=True); print('there', file=sys.stderr)"
    assert programs.do("greet", python(code), folder=tmp_path) == "hello\nthere"
    assert told == ["hello", "there"]
    assert programs.log.read_text() == "hello\nthere\n"


def test_a_program_that_fails_is_told_with_its_last_lines_and_where_the_rest_is(programs, tmp_path):
    with pytest.raises(Failed) as failed:
        programs.do("cdk deploy", python("print(*range(20), sep='\\n'); raise SystemExit(3)"), folder=tmp_path)
    assert failed.value.message == "\n".join(
        [f"cdk deploy failed (all of it in {programs.log}):", *map(str, range(8, 20))]
    )


def test_a_question_that_fails_is_told_with_its_last_word(programs):
    assert programs.ask(*python("print('an answer')")) == "an answer\n"
    with pytest.raises(Failed, match="-c ended with 1: no such manifest$"):
        programs.ask(*python("raise SystemExit('no such manifest')"))


def test_a_password_reaches_the_program_and_no_log(programs, told, tmp_path):
    code = "import sys; print(len(sys.stdin.read()))"
    programs.do("login", python(code), folder=tmp_path, given="secret")
    assert told == ["6"] and "secret" not in programs.log.read_text()


def test_a_program_ends_with_the_command_that_was_interrupted(tmp_path):
    written = tmp_path / "pid"
    code = "import os, sys, time; print(os.getpid(), file=open(sys.argv[1], 'w'), flush=True)"
    words = [*python(f"{code}; print('begun', flush=True); time.sleep(60)"), str(written)]

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Logged(tmp_path / "log", interrupt, {}).do("sleep", words, folder=tmp_path)
    with pytest.raises(ProcessLookupError):
        os.kill(int(written.read_text()), 0)
