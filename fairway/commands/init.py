"""`fairway init`: draft fairway.toml and a contract from a table, and say in words what was assumed."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairway.draft import toml
from fairway.terminal.command import HERE, Json, Project, run
from fairway.terminal.done import Done
from fairway.terminal.errors import Refused
from fairway.terminal.progress import Progress

if TYPE_CHECKING:  # they import Arrow, which help must not load
    from fairway.draft.plan import Draft
    from fairway.draft.survey import Survey

STAGES = ["dev", "prod"]

app = typer.Typer(rich_markup_mode=None)


@app.command("init", epilog="Example: fairway init --data flights.csv --target late --out flights")
def init_command(
    data: Annotated[
        Path, typer.Option(help="A table with a header: CSV (also .gz), JSON Lines or Parquet.", metavar="FILE")
    ],
    target: Annotated[str, typer.Option(help="The column to predict.", metavar="COLUMN")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for fairway.toml and contract.toml. Default: the project's folder.", metavar="DIR"),
    ] = None,
    project: Project = HERE,
    json: Json = False,
) -> None:
    """Draft fairway.toml and the contract from a table."""
    run(lambda progress: init(data, target=target, out=out or project, progress=progress), json=json)


def init(data: Path, *, target: str, out: Path, progress: Progress) -> Done:
    # Arrow is imported only when a table is read.
    from fairway.draft.ci import source_here, workflows
    from fairway.draft.plan import draft
    from fairway.draft.survey import survey

    files = {"fairway.toml": out / "fairway.toml", "contract.toml": out / "contract.toml"}
    for file in files.values():
        if file.exists():
            raise Refused("exists", f"{file} exists already; choose another folder with --out, or remove it first")
    progress(f"Reading {data}")
    table = survey(data, target=target, progress=progress)
    plan = draft(table, target)
    name = _project_name(out.resolve().name, data.name.partition(".")[0])
    texts = {
        "contract.toml": _contract_text(plan, name, data.name, table.rows),
        "fairway.toml": _settings_text(plan, name, data.name),
    }
    try:
        encoded = {file: text.encode() for file, text in texts.items()}
    except UnicodeEncodeError as error:
        raise Refused("text", f"{data}: holds text that is not valid Unicode: {error}") from None
    out.mkdir(parents=True, exist_ok=True)
    for file_name, content in encoded.items():
        files[file_name].write_bytes(content)
    ci = _write_missing(out, workflows(name, STAGES, source_here()))
    return _told(plan, name, table, [*files.values(), *ci], out)


def _write_missing(folder: Path, texts: dict[str, str]) -> list[Path]:
    """Write the files that do not exist yet, and return them: a repository may have workflows of its own."""
    missing = [file for file in texts if not (folder / file).exists()]
    for file in missing:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(texts[file], encoding="utf-8")
    return [folder / file for file in missing]


def _project_name(*candidates: str) -> str:
    """Return the first name that AWS resources can have: a letter, then letters, digits and dashes, 2 to 24 in all."""
    for candidate in candidates:
        slug = re.sub(r"[^a-z0-9]+", "-", candidate.lower()).strip("-0123456789")[:24].strip("-")
        if len(slug) > 1:
            return slug
    return "project"


def _contract_text(plan: "Draft", name: str, file: str, rows: int) -> str:
    roles = {"key": [plan.key] if plan.key else None, "event_time": plan.event_time}
    sections = [
        f"# The columns of a row. Drafted by `fairway init` from {rows:,} rows of {_as_comment(file)}: read it once,",
        "# above all the ranges and the categories, and name the owner of each column.",
        *toml.lines({"name": name, **roles}),
        "",
        "[target]",
        *toml.lines(plan.target),
    ]
    for column, values in plan.columns.items():
        sections += ["", f"[columns.{toml.key(column)}]", *toml.lines({**values, "source": file})]
    return "\n".join(sections) + "\n"


def _settings_text(plan: "Draft", name: str, file: str) -> str:
    sections = [
        f"# Drafted by `fairway init` from {_as_comment(file)}. Other settings have their defaults: docs/settings.md",
        "[project]",
        *toml.lines({"name": name, "contract": "contract.toml", "task": plan.task}),
        "",
    ]
    if plan.window:
        sections += ["[data]", *toml.lines(plan.window), ""]
    sections += [
        "[benchmarks] # agree on them before anything is trained",
        "# quality = ...  the least value of the deciding metric; without it a release need only beat the prior",
        "p99_ms = 25.0",
        "size_mb = 100.0",
        "",
        "[budget]",
        "monthly_usd = 100.0",
        "",
        f"[stages.{STAGES[0]}]",
        'region = "us-east-1"',
        "",
        f"[stages.{STAGES[1]}]",
        'region = "us-east-1"',
        'release.approve = "manual"',
    ]
    return "\n".join(sections) + "\n"


def _as_comment(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _described(plan: "Draft", name: str) -> str:
    """Describe type and role of a column, as the contract has them."""
    column = plan.columns[name]
    roles = {plan.key: "key", plan.event_time: "event time", plan.target["column"]: "target"}
    part = roles.get(name) or column.get("role", "feature")
    return f"{column['type']}, {part}" + (", may be null" if column.get("nullable") else "")


def _told(plan: "Draft", name: str, table: "Survey", files: list[Path], out: Path) -> Done:
    ignored = [column for column, values in plan.columns.items() if values.get("role") == "ignored"]
    values = {
        "project": name,
        "files": [str(file) for file in files],
        "task": plan.task,
        "rows": table.rows,
        "columns": len(plan.columns),
        "target": plan.target["column"],
        "key": plan.key,
        "event_time": plan.event_time,
        "ignored": ignored,
        "notes": plan.notes,
    }
    lines = [
        f"wrote {' and '.join(values['files'][:2])}",
        *([f"wrote {out / '.github'}: workflows that check, price and deploy the project"] if len(files) > 2 else []),
        f"project {name}, {plan.task}: {len(plan.columns)} columns from {table.rows:,} rows",
        *[f"  {column}: {_described(plan, column)}" for column in plan.columns],
        *[f"  - {note}" for note in plan.notes],
    ]
    where = "" if out == Path(".") else f" --project {shlex.quote(str(out))}"
    return Done(values, lines, f"read contract.toml once, then `fairway up{where}` and `fairway load FILE{where}`")
