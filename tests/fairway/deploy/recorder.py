"""Programs that are not run: what would be is written down, without the paths of this machine."""

from pathlib import Path

from fairway.terminal.errors import Failed

ASSEMBLY = Path("templates")  # a folder of them, which nobody looks into


class Recorder:
    """`answers` has what a program prints, by a word of its command line; None stands for one that fails."""

    def __init__(self, answers: dict[str, str | None] | None = None):
        self.answers, self.ran, self.given = answers or {}, [], []

    def ask(self, *words: str) -> str:
        return self._run(words, None)

    def do(self, what: str, words: list[str], *, folder: Path, given: str | None = None) -> str:
        return self._run(words, given)

    def _run(self, words, given: str | None) -> str:
        words = list(words[words.index("--no-notices") + 1 :] if "--no-notices" in words else words)
        if "--app" in words:
            place = words.index("--app")
            assert words[place : place + 2] == ["--app", str(ASSEMBLY)]
            del words[place : place + 2]
        self.ran.append(" ".join(words))
        self.given.append(given)
        printed = next((text for word, text in self.answers.items() if word in words), "")
        if printed is None:
            raise Failed("program", f"{words[0]} {words[1]} ended with 125")
        self.after(words)
        return printed

    def after(self, words: list[str]) -> None:
        """What else the program does."""
