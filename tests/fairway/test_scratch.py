"""Whatever ends a command, its temporary folder goes, and so do the processes that it started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fairway.scratch import scratch

ROOT = Path(__file__).parents[2]
COMMAND = """
import subprocess, sys, time
from fairway.scratch import die_with_parent, scratch, scratch_until_exit
(scratch_until_exit("templates") / "row.csv").write_text("a row of the lake")
with scratch("import") as folder:
    (folder / "rows.csv").write_text("rows of the lake")
    child = subprocess.Popen(["sleep", "600"], preexec_fn=die_with_parent)
    print(child.pid, flush=True)
    time.sleep(float(sys.argv[1]))
    child.kill()
"""


def begun(tmp_path: Path, seconds: float) -> tuple[subprocess.Popen, int]:
    """The command, once it has laid down its files, and the process that it started."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(seconds)], stdout=subprocess.PIPE, text=True, env=environment
    )
    child = int(command.stdout.readline())
    assert len(list(tmp_path.iterdir())) == 2
    return command, child


def wait_until(holds) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_command_that_is_killed_leaves_neither_a_folder_nor_a_process(tmp_path, how):
    command, child = begun(tmp_path, 600)
    command.send_signal(how)
    command.wait()
    wait_until(lambda: not list(tmp_path.iterdir()))
    wait_until(lambda: not is_alive(child))


def test_a_command_that_ends_leaves_no_folder(tmp_path):
    command, _ = begun(tmp_path, 0)
    assert command.wait() == 0
    wait_until(lambda: not list(tmp_path.iterdir()))


def test_at_the_end_of_its_context_the_folder_is_gone():
    with scratch("test") as folder:
        (folder / "inner").mkdir()
    assert not folder.exists()
    with pytest.raises(RuntimeError), scratch("test") as folder:
        raise RuntimeError
    assert not folder.exists()
