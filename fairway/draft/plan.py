"""From the facts of a table to a contract: the role of each column, and the assumptions in words."""

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from domain.config.sections import LONGEST_DAYS
from fairway.draft.column import DATE_LIKE, ID_NAME, TIME_NAME, column_of
from fairway.draft.survey import LEVELS, Facts, Survey, far_days, span_days
from fairway.draft.target import target_of
from fairway.terminal.errors import Refused

FEW = 20  # rows; with fewer, a pattern means little
SHORTEST_SPAN_DAYS = 2
WHOLE_SPAN_BELOW_ROWS = 20_000
CODE = re.compile(r"(?=.*\d)[\w.:/-]{1,64}")  # one word with a digit in it
UNNAMED = re.compile(
    r"(?i)^$|^unnamed: ?\d+$|^\.\.\.\d+$|^row[._ ]?(names?|numbers?|nr|no|id)?$|^index$|^__index_level_\d__$"
    r"|^X\.?1?$|^V1$"
)
NOT_EVENT = re.compile(r"(?i)birth|dob|updated|modified|expir|valid|until|(^|[_ ])end")


@dataclass
class Draft:
    """Columns and roles of a contract; `notes` explain what was assumed about which column."""

    task: str
    target: dict  # the contract's [target]
    columns: dict[str, dict]
    key: str | None = None
    event_time: str | None = None
    window: dict = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def draft(table: Survey, target: str) -> Draft:
    notes = []
    if table.headers:
        notes.append(f"{table.headers:,} rows repeat the header: left out here, `fairway load` will quarantine them")
    if table.totals:
        notes.append(
            f"{table.totals:,} rows are called a total and have empty cells: left out here, `fairway load` quarantines "
            "them where a column that must have a value is empty"
        )
    if table.titles:
        shown = ", ".join(map(repr, table.titles))
        notes.append(f"{len(table.titles)} lines above the header are passed over: {shown}")
    task, values, column = target_of(table, table.columns[target], notes)
    others = {name: column_of(table, facts, notes) for name, facts in table.columns.items() if name != target}
    columns = {name: others.get(name, column) for name in table.columns}
    plan = Draft(task, {"column": target, **values}, columns, notes=notes)
    plan.key = _key_of(table, plan)
    plan.event_time, plan.window = _event_time_of(table, plan)
    for name in others:
        if name not in (plan.key, plan.event_time):
            _leave_out_the_useless(table, table.columns[name], plan)
        _note_similar(table.columns[name], plan)
    _note_similar(table.columns[target], plan)
    if not any(_is_feature(plan, name) for name in others):
        _take_one_back(table, plan)
    return plan


def _note_similar(facts: Facts, plan: Draft) -> None:
    """Point out texts that differ only in case or spaces: often they are the same value."""
    groups: dict[str, list[str]] = {}
    for level in facts.levels or ():
        if isinstance(level, str):
            groups.setdefault(" ".join(level.casefold().split()), []).append(level)
    same = sorted(sorted(group) for group in groups.values() if len(group) > 1)
    if same and plan.columns[facts.name]["type"] == "string":
        shown = "; ".join(" and ".join(map(repr, group)) for group in same[:5])
        plan.notes.append(
            f"{facts.name!r} holds values that differ in case or spaces only: {shown}; make them one if they are"
        )


def _is_feature(plan: Draft, name: str) -> bool:
    special = (plan.key, plan.event_time, plan.target["column"])
    return name not in special and plan.columns[name].get("role") != "ignored"


def _key_of(table: Survey, plan: Draft) -> str | None:
    """Return the first column without repeated values that is named like an id, or else looks like one."""
    unique = [
        name
        for name, facts in table.columns.items()
        if name != plan.target["column"]
        and plan.columns[name]["type"] in ("string", "integer")
        and plan.columns[name].get("role") != "ignored"
        and facts.all_differ
        and not table.nulls(facts)
    ]
    for name in unique:
        if ID_NAME.search(name):
            plan.notes.append(f"{name!r} is named like an id and differs in every row: it is the key")
            return name
    for name in unique:
        example = table.columns[name].example
        is_code = CODE.fullmatch(str(example)) and not DATE_LIKE.fullmatch(str(example))
        if plan.columns[name]["type"] == "string" and table.rows >= FEW and is_code:
            plan.notes.append(f"{name!r} differs in every row and looks like an id, such as {example!r}: it is the key")
            return name
    plan.notes.append("no column is an id that differs in every row: the row's own hash is the key")
    return None


def _event_time_of(table: Survey, plan: Draft) -> tuple[str | None, dict]:
    """Return the only column that clearly is an event time, and the window that its span allows."""
    moments = [name for name, column in plan.columns.items() if column["type"] == "timestamp"]
    few_nulls = [name for name in moments if table.nulls(table.columns[name]) * 100 <= table.rows]
    fitting = [name for name in few_nulls if not NOT_EVENT.search(name)]
    if len(fitting) > 1:
        fitting = [name for name in fitting if TIME_NAME.search(name)][:1]
    if not fitting:
        plan.notes.append("no column is clearly the event time: rows are split by their hash, not by time")
        return None, {}
    name, span = fitting[0], span_days(table.columns[fitting[0]])
    if span < SHORTEST_SPAN_DAYS:
        plan.notes.append(
            f"{name!r} spans less than {SHORTEST_SPAN_DAYS} days, too little: rows are split by their hash"
        )
        return None, {}
    if plan.columns[name].pop("nullable", False):
        nulls = table.nulls(table.columns[name])
        plan.notes.append(f"{name!r} is null in {nulls:,} rows, which `fairway load` will quarantine")
    _note_far_days(table.columns[name], plan)
    plan.notes.append(f"{name!r} is the event time: training learns from earlier rows and is judged on later ones")
    return name, _window_of(span, table.rows)


def _note_far_days(facts: Facts, plan: Draft) -> None:
    """Name days far from the others or in the future: a training run as of them would see no other rows."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    far = far_days(facts)
    odd = [*far, *(day for day in sorted(facts.days) if day > tomorrow and day not in far)]
    if odd:
        rows = sum(facts.days[day] for day in odd)
        shown = ", ".join(str(day) for day in odd[:3]) + (f" and {len(odd) - 3} days more" if len(odd) > 3 else "")
        plan.notes.append(
            f"{facts.name!r} has {rows:,} rows far from the others or still to come, on {shown}: correct them if they "
            "are wrong; the window is drafted for the others"
        )


def _window_of(span: float, rows: int) -> dict:
    if span >= 90 and rows >= WHOLE_SPAN_BELOW_ROWS:
        return {"window_days": 90, "evaluate_days": 28}
    window_days = min(math.floor(span) + 2, LONGEST_DAYS)
    return {"window_days": window_days, "evaluate_days": max(1, round(window_days * 0.3))}


def _leave_out_the_useless(table: Survey, facts: Facts, plan: Draft) -> None:
    why = _useless(table, facts, plan.columns[facts.name]["type"], plan.target["column"])
    if why:
        limits = ("minimum", "maximum", "categories")  # dropped: a column that is not used may have any value
        kept = {key: value for key, value in plan.columns[facts.name].items() if key not in limits}
        plan.columns[facts.name] = {**kept, "role": "ignored"}
        plan.notes.append(f"{facts.name!r} {why}: not used for training")


def _useless(table: Survey, facts: Facts, kind: str, target: str) -> str:
    if facts.rows == 0:
        return "is always empty"
    if facts.all_differ and kind == "integer" and _numbers_the_rows(table, facts):
        return "numbers the rows"
    if facts.big_whole:
        return "holds whole numbers too large for a model to distinguish"
    if _gives_the_target_away(table, facts, target):
        return "determines the target exactly, so it cannot be known beforehand"
    if facts.levels is not None and len(facts.levels) == 1 and not table.nulls(facts):
        return f"is always {facts.example!r}"
    if kind == "timestamp":
        return "is a timestamp besides the event time; a number such as days since then could be used"
    names_rows = kind == "string" or (kind == "integer" and ID_NAME.search(facts.name))
    return "differs in every row" if names_rows and facts.all_differ and facts.rows >= FEW else ""


def _numbers_the_rows(table: Survey, facts: Facts) -> bool:
    """Return whether the column numbers the rows, as data frames and spreadsheets do: from 0 or 1 on, in any order, or
    unnamed.
    """
    low, high = facts.low["integer"], facts.high["integer"]
    counts = low in (0, 1) and high - low == facts.rows - 1 and not table.nulls(facts)
    return facts.rows >= FEW and (counts or bool(UNNAMED.search(facts.name)))


def _gives_the_target_away(table: Survey, facts: Facts, target: str) -> bool:
    """Return whether the column determines the target, beyond what chance allows for so many rows."""
    levels = table.columns[target].levels
    total = table.columns[target].rows
    alike = sum((count / total) ** 2 for count in levels.values()) if levels else 1 / LEVELS
    return (
        facts.mirror is not None and facts.rows >= FEW and facts.mirror.reveals(-math.log2(alike) if alike < 1 else 0)
    )


def _take_one_back(table: Survey, plan: Draft) -> None:
    """Keep one feature, as a contract needs: better a useless one than none, but not one that determines the target."""
    for name, facts in table.columns.items():
        is_plain = not (facts.nested or facts.long_texts or facts.big_whole)
        if (
            plan.columns[name].get("role") == "ignored"
            and is_plain
            and facts.rows
            and not _gives_the_target_away(table, facts, plan.target["column"])
        ):
            del plan.columns[name]["role"]
            plan.notes.append(f"{name!r} is used for training after all: there is no other column")
            return
    raise Refused("features", "no column is left besides the target; give a table with more columns")
