"""From the facts of a table to a contract: each column's part in it, and what was assumed, in words for a reader."""

import math
import re
from dataclasses import dataclass, field

from domain.config.sections import LONGEST_DAYS
from fairway.draft.column import column_of
from fairway.draft.survey import Facts, Survey, span_days
from fairway.draft.target import target_of
from fairway.terminal.errors import Refused

FEW = 20  # rows; with fewer, a pattern means little
SHORTEST_SPAN_DAYS = 2
WHOLE_SPAN_BELOW_ROWS = 20_000
ID_NAME = re.compile(r"(?i:^(id|key|uuid|guid)$|[_\-. ](id|key|uuid|guid|no|nr|num|number)$|^id[_\-. ])|[a-z](Id|ID)$")
CODE = re.compile(r"(?=.*\d)[\w.:/-]{1,64}")  # one word with a digit in it
TIME_NAME = re.compile(r"(?i)time|date|moment|when|created|_at$|_on$|timestamp|^ts$")
NOT_EVENT = re.compile(r"(?i)birth|dob|updated|modified|expir|valid|until|(^|[_ ])end")


@dataclass
class Draft:
    """A contract's columns and roles; `notes` say what was assumed of which column."""

    task: str
    target: dict  # the contract's [target]
    columns: dict[str, dict]
    key: str | None = None
    event_time: str | None = None
    window: dict = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def draft(table: Survey, target: str) -> Draft:
    notes = []
    task, values, column = target_of(table, table.columns[target], notes)
    others = {name: column_of(table, facts, notes) for name, facts in table.columns.items() if name != target}
    columns = {name: others.get(name, column) for name in table.columns}
    plan = Draft(task, {"column": target, **values}, columns, notes=notes)
    plan.key = key_of(table, plan)
    plan.event_time, plan.window = event_time_of(table, plan)
    for name in others:
        if name not in (plan.key, plan.event_time):
            leave_out_the_useless(table, table.columns[name], plan)
    if not any(is_feature(plan, name) for name in others):
        take_one_back(table, plan)
    return plan


def is_feature(plan: Draft, name: str) -> bool:
    special = (plan.key, plan.event_time, plan.target["column"])
    return name not in special and plan.columns[name].get("role") != "ignored"


def key_of(table: Survey, plan: Draft) -> str | None:
    """The first column that is never the same twice and is named like an id, or else reads like one."""
    unique = [
        name
        for name, facts in table.columns.items()
        if name != plan.target["column"]
        and plan.columns[name]["type"] in ("string", "integer")
        and facts.all_differ
        and not table.nulls(facts)
    ]
    for name in unique:
        if ID_NAME.search(name):
            plan.notes.append(f"{name!r} is named like an id and differs in every row: it is the key")
            return name
    for name in unique:
        example = table.columns[name].example
        if plan.columns[name]["type"] == "string" and table.rows >= FEW and CODE.fullmatch(str(example)):
            plan.notes.append(f"{name!r} differs in every row and reads like an id, such as {example!r}: it is the key")
            return name
    plan.notes.append("no column is an id that differs in every row: the row's own hash is the key")
    return None


def event_time_of(table: Survey, plan: Draft) -> tuple[str | None, dict]:
    """The one column that clearly says when, and the window that its span allows."""
    moments = [name for name, column in plan.columns.items() if column["type"] == "timestamp"]
    fitting = [name for name in moments if not plan.columns[name].get("nullable") and not NOT_EVENT.search(name)]
    if len(fitting) > 1:
        fitting = [name for name in fitting if TIME_NAME.search(name)][:1]
    if not fitting:
        plan.notes.append("no column clearly says when a row happened: rows are split by their hash, not by time")
        return None, {}
    name, span = fitting[0], span_days(table.columns[fitting[0]])
    if span < SHORTEST_SPAN_DAYS:
        plan.notes.append(
            f"{name!r} spans less than {SHORTEST_SPAN_DAYS} days, too little: rows are split by their hash"
        )
        return None, {}
    plan.notes.append(f"{name!r} is the event time: training learns from earlier rows and is judged on later ones")
    return name, window_of(span, table.rows)


def window_of(span: float, rows: int) -> dict:
    if span >= 90 and rows >= WHOLE_SPAN_BELOW_ROWS:
        return {"window_days": 90, "evaluate_days": 28}
    window_days = min(math.floor(span) + 2, LONGEST_DAYS)
    return {"window_days": window_days, "evaluate_days": max(1, round(window_days * 0.3))}


def leave_out_the_useless(table: Survey, facts: Facts, plan: Draft) -> None:
    why = useless(table, facts, plan.columns[facts.name]["type"])
    if why:
        limits = ("minimum", "maximum", "categories")  # taken away: what is not learnt from may become anything
        kept = {key: value for key, value in plan.columns[facts.name].items() if key not in limits}
        plan.columns[facts.name] = {**kept, "role": "ignored"}
        plan.notes.append(f"{facts.name!r} {why}: not learnt from")


def useless(table: Survey, facts: Facts, kind: str) -> str:
    if facts.rows == 0:
        return "is always empty"
    if gives_the_target_away(facts):
        return "says exactly what the target says, which nobody knows beforehand"
    if facts.levels is not None and len(facts.levels) == 1 and not table.nulls(facts):
        return f"is always {facts.example!r}"
    if kind == "timestamp":
        return "is a moment beside the event time; a number such as days since then could be learnt from"
    names_rows = kind == "string" or (kind == "integer" and ID_NAME.search(facts.name))
    return "differs in every row" if names_rows and facts.all_differ and facts.rows >= FEW else ""


def gives_the_target_away(facts: Facts) -> bool:
    return facts.mirror is not None and facts.mirror.reveals and facts.rows >= FEW


def take_one_back(table: Survey, plan: Draft) -> None:
    """A contract needs a feature; better a useless one than none, but not one that gives the target away."""
    for name, facts in table.columns.items():
        if plan.columns[name].get("role") == "ignored" and facts.rows and not gives_the_target_away(facts):
            del plan.columns[name]["role"]
            plan.notes.append(f"{name!r} is learnt from after all: there is no other column")
            return
    raise Refused("features", "no column is left to learn from beside the target; give a table with more columns")
