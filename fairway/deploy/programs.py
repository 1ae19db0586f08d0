"""External programs of a deployment: the CDK's command line, docker or podman."""

import os
import subprocess
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fairway.terminal.errors import Failed

LAST_LINES = 12  # lines of a failed program's output in the error


class Programs(Protocol):
    """Ways to run programs; each raises Failed if the program fails."""

    def ask(self, *words: str) -> str:
        """Return what the program prints on standard output."""

    def do(self, what: str, words: list[str], *, folder: Path, given: str | None = None) -> str:
        """Run the program to its end with `given` on standard input, and return its output.

        `what` names it in an error.
        """


@dataclass(frozen=True)
class Logged:
    """Run programs and append their output to a log; `tell` gets each line while they run."""

    log: Path
    tell: Callable[[str], None]
    environment: Mapping[str, str]  # in addition to this process's own

    def ask(self, *words: str) -> str:
        ran = subprocess.run(words, capture_output=True, text=True, env=self._environment())
        if ran.returncode:
            said = (ran.stderr.strip() or ran.stdout.strip() or "nothing").splitlines()[-1]
            raise Failed("program", f"{words[0]} {words[1]} ended with {ran.returncode}: {said}")
        return ran.stdout

    def do(self, what: str, words: list[str], *, folder: Path, given: str | None = None) -> str:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=self._environment(),
            stdin=subprocess.PIPE if given else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            lines = self._followed(process, given)
            if process.wait():
                last = "\n".join(deque(filter(str.strip, lines), LAST_LINES))
                raise Failed("program", f"{what} failed (all of it in {self.log}):\n{last}")
        finally:  # after Ctrl-C or SIGTERM; no effect on a program that has ended
            process.terminate()
            process.wait()
        return "\n".join(lines)

    def _followed(self, process: subprocess.Popen[str], given: str | None) -> list[str]:
        assert process.stdout
        if given and process.stdin:
            process.stdin.write(given)
            process.stdin.close()
        lines = []
        with open(self.log, "a", encoding="utf-8") as log:
            for line in process.stdout:
                log.write(line)
                lines.append(line.rstrip())
                self.tell(line.rstrip())
        return lines

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment}
