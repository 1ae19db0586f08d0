"""The whole loop on this machine, through the public commands only: `make demo`.

It starts the local AWS with the app deployed, loads, trains and releases on January to March 2013, answers requests
over HTTP, scores April as a batch, and joins the outcomes to the answers. A second run finds everything done and is
quick.
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

ROOT = Path(__file__).parent.parent
FAIRWAY = Path(sys.executable).with_name("fairway")
LOADED, BATCH, AS_OF = ("2013-01", "2013-02", "2013-03"), "2013-04", "2013-04-01"
REQUESTS = 20
screen = Console(stderr=True, highlight=False)


class DemoFailed(Exception):
    """Report that a command of the demo failed; the message is the command and its output."""


class Demo:
    """Run fairway commands on one project and record how long each step took."""

    def __init__(self, project: Path, data: Path, up_options: list[str]):
        self.project, self.data, self.up_options = project, data, up_options
        self.seconds = {}

    def fairway(self, command: str, *arguments: str) -> dict | list:
        """Return one command's JSON; its progress is passed on, but not its next step, which this script decides."""
        words = [str(FAIRWAY), command, *arguments, "--project", str(self.project), "--json"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr:
                if not line.startswith("next:"):
                    self.on_the_way(line.strip())
            said = process.stdout.read()
        if process.returncode:
            raise DemoFailed(f"{' '.join(['fairway', command, *arguments])}: {said.strip()}")
        return json.loads(said)

    def on_the_way(self, line: str) -> None:
        if screen.is_terminal:
            self.live.update(f"{self.current} [dim]{escape(line)}[/]")
        else:
            screen.print(f"    {escape(line)}")

    @contextmanager
    def step(self, what: str):
        self.current, started = what, time.monotonic()
        if not screen.is_terminal:
            screen.print(f"• {what}")
        with screen.status(what) as self.live:
            yield
        self.seconds[what] = time.monotonic() - started
        if screen.is_terminal:
            screen.print(f"[green]✓[/] {what} [dim]{self.seconds[what]:.0f} s[/]")

    def month(self, month: str) -> Path:
        return self.data / f"flights-{month}.csv"


def run(demo: Demo) -> dict:
    """Run every step, and return what each one printed."""
    story = {}
    with demo.step("the local AWS: start it, bootstrap and deploy the CDK app"):
        story["up"] = demo.fairway("up", *demo.up_options)
    with demo.step("the data: 336,776 real flights, one CSV file a month"):
        prepare(demo)
    flights = sample(demo.month(BATCH), REQUESTS)
    with demo.step("a request before any model: the fallback answers"):
        story["before"] = ask(demo, flights[:1])[0]
    with demo.step("load January to March: checked against the contract, bad rows to quarantine"):
        story["load"] = demo.fairway("load", *(str(demo.month(month)) for month in LOADED))
    story["status"] = demo.fairway("status")
    if not story["status"]["champion"]:
        with demo.step("train three candidates, evaluate them on March, judge, release"):
            story["train"] = demo.fairway("train", "--as-of", AS_OF)
        story["status"] = demo.fairway("status")
    with demo.step(f"{REQUESTS} requests for flights of April, over HTTP"):
        story["answers"] = ask(demo, flights)
    with demo.step("score all of April as a batch into DynamoDB"):
        story["batch"] = demo.fairway("batch", str(demo.month(BATCH)))
    with demo.step("what really happened, joined to the answers"):
        story["outcomes"] = demo.fairway("outcomes", str(happened(demo, flights)))
    return {**story, "flights": flights, "seconds": demo.seconds}


def prepare(demo: Demo) -> None:
    months = [demo.month(f"2013-{month:02d}") for month in range(1, 13)]
    if not all(file.exists() for file in months):
        words = [sys.executable, str(ROOT / "flights/prepare.py"), str(demo.data)]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise DemoFailed(f"flights/prepare.py {demo.data}: {last}; `make setup` installs what it needs")


def sample(file: Path, count: int) -> list[dict]:
    """Return every so many rows of the file as requests: numbers as numbers, empty cells as null, only rows with an
    outcome.
    """
    with file.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["late"]]
    return [typed(row) for row in rows[:: len(rows) // count][:count]]


def typed(row: dict) -> dict:
    return {name: value_of(name, text) for name, text in row.items()}


def value_of(name: str, text: str):
    if text == "":
        return None
    if name == "late":
        return text == "true"
    try:
        return json.loads(text)
    except ValueError:
        return text


def ask(demo: Demo, flights: list[dict]) -> list[dict]:
    rows = [{name: value for name, value in flight.items() if name != "late"} for flight in flights]
    return demo.fairway("predict", json.dumps(rows))


def happened(demo: Demo, flights: list[dict]) -> Path:
    file = demo.data / "outcomes.jsonl"
    lines = [{"entity_id": flight["flight_id"], "outcome": flight["late"]} for flight in flights]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def tell(story: dict) -> None:
    """Print the summary at the end: the answers, the releases, and where to look next."""
    table = Table("flight of April", "P(late)", "was late", "answered by", box=SIMPLE_HEAD)
    truth = {flight["flight_id"]: flight["late"] for flight in story["flights"]}
    for answer in story["answers"][:5]:
        table.add_row(
            answer["entity_id"],
            f"{answer['probability']:.2f}",
            "yes" if truth[answer["entity_id"]] else "no",
            f"{answer['source']} {answer['release']}",
        )
    screen.print(table)
    rows = Table.grid(padding=(0, 2))
    for name, text in account(story):
        rows.add_row(f"[bold]{name}[/]", escape(text))
    screen.print(rows)


def account(story: dict) -> list[tuple[str, str]]:
    load, batch, before, outcomes = (story[name] for name in ("load", "batch", "before", "outcomes"))
    trained = [("trained", f"{story['train']['verdict']}: {story['train']['reason']}")] if "train" in story else []
    return [
        ("loaded", f"{load['accepted']:,} rows, {load['quarantined']:,} quarantined ({reasons(load)})"),
        (
            "at first",
            f"{before['source']}: {before['reason'] or before['release']}, P(late) {before['probability']:.2f}",
        ),
        *trained,
        ("champion", story["status"]["champion"]),
        (
            "batch",
            (
                f"read {batch['read']:,} = scored {batch['scored']:,} + quarantined {batch['quarantined']:,}; "
                f"written {batch['written']:,}"
            ),
        ),
        ("outcomes", f"{outcomes['joined']} of {outcomes['accepted']} joined to their predictions"),
        ("took", f"{sum(story['seconds'].values()):.0f} s"),
        ("", ""),
        ("API", f"{story['status']['api_url']} (IAM-signed requests; `fairway predict` signs)"),
        ("look", "fairway status · fairway releases · fairway predict --help (all in .venv/bin)"),
        ("stop", "make down; its state is kept, and `make demo` or `fairway up` continues from it"),
    ]


def reasons(load: dict) -> str:
    return ", ".join(f"{rule} {count:,}" for rule, count in load["reasons"].items()) or "none"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, default=ROOT, help="folder with fairway.toml")
    parser.add_argument("--data", type=Path, default=ROOT / ".fairway" / "flights", help="folder for the months' files")
    parser.add_argument("--enforce-iam", action="store_true", help="enforce the policies of every role")
    parser.add_argument("--json", action="store_true", help="print the results of all steps as one JSON object")
    options = parser.parse_args()
    try:
        story = run(Demo(options.project, options.data, ["--enforce-iam"] if options.enforce_iam else []))
    except DemoFailed as error:
        screen.print(f"[red]the demo stopped[/] {error}")
        return 1
    except KeyboardInterrupt:
        screen.print("stopped; `make demo` continues from here, `make down` stops the local AWS")
        return 130
    if options.json:
        print(json.dumps(story))
    else:
        tell(story)
    return 0


if __name__ == "__main__":
    sys.exit(main())
