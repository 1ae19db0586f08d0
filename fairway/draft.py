"""From the facts of a table to a contract and settings: what is assumed, and why, in words for the person who reads them."""

import math
import re
from dataclasses import dataclass, field

from domain.contract import LARGEST_INTEGER
from fairway.errors import Refused
from fairway.survey import Facts, Survey, span_days

CLASSES = 100
ROWS_PER_LEVEL = 10
FEW = 20  # rows; with fewer, a pattern means little
SHORTEST_SPAN_DAYS = 2
WHOLE_SPAN_BELOW_ROWS = 20_000
YES = {"yes", "y", "true", "t", "1", "positive", "pos", "on", "ja", "oui", "si", "sí", "churned", "left", "won", "fraud"}
ID_NAME = re.compile(r"(?i:^(id|key|uuid|guid)$|[_\-. ](id|key|uuid|guid|no|number)$|^id[_\-. ])|[a-z](Id|ID)$")
TIME_NAME = re.compile(r"(?i)time|date|moment|when|created|departure|_at$|_on$|timestamp|^ts$")
NOT_EVENT = re.compile(r"(?i)birth|dob|updated|modified|expir|valid|until|end")
DATE_LIKE = re.compile(r"\d{1,4}([/.\- ])(\d{1,2}|[A-Za-z]{3,9})\1\d{2,4}([ T,].*)?|[A-Za-z]{3,9} \d{1,2},? \d{4}.*")


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


# ---- the target


def target_of(table: Survey, facts: Facts, notes: list[str]) -> tuple[str, dict, dict]:
    """The task, what the contract's [target] says beside the column, and the target's column."""
    name, whole = facts.name, whole_numbers(facts)
    if facts.rows == 0 or (facts.levels is not None and len(whole or facts.levels) == 1):
        raise Refused("target", f"target {name!r} {'is always empty' if not facts.rows else f'is always {facts.example!r}'}; there is nothing to learn")
    if table.nulls(facts):
        notes.append(f"{name!r} is the target and empty in {table.nulls(facts):,} rows; `fairway load` quarantines those")
    if facts.holds("boolean") and boolean_words(facts):
        return binary(facts, "boolean", True, lambda value: str(value).lower() == "true", notes)
    if len(whole) == 2:
        return binary(facts, "integer", max(whole), lambda value: int(float(value)) == max(whole), notes)
    return regression(facts, notes) if facts.holds("float") else classes(facts, notes)


def whole_numbers(facts: Facts) -> set[int]:
    """The distinct values of a column of few whole numbers; 1 and 1.0 are one."""
    return {int(float(value)) for value in facts.levels} if facts.levels and facts.holds("integer") else set()


def boolean_words(facts: Facts) -> bool:
    """true and false themselves; 0 and 1, yes and no stay what they are, so that requests may say them so."""
    return facts.levels is not None and {str(value).lower() for value in facts.levels} <= {"true", "false"}


def binary(facts: Facts, kind: str, positive, is_yes, notes: list[str]) -> tuple[str, dict, dict]:
    share = sum(count for value, count in facts.levels.items() if is_yes(value)) / facts.rows
    notes.append(f"{facts.name!r} has two values: a binary task, in which {positive!r} counts as a yes ({share:.1%} of the rows)")
    column = {"type": kind, **({"categories": sorted(facts.levels)} if kind == "string" else {})}
    return "binary", {"positive": positive, "prior": round(share, 4)}, column


def regression(facts: Facts, notes: list[str]) -> tuple[str, dict, dict]:
    kind = "integer" if facts.holds("integer") and not facts.fractions else "float"
    notes.append(f"{facts.name!r} holds numbers: a regression; for classes set project.task = \"multiclass\" and their shares as target.prior")
    return "regression", {"prior": float(f"{facts.mean:.6g}") if math.isfinite(facts.mean) else 0.0}, {"type": kind}


def classes(facts: Facts, notes: list[str]) -> tuple[str, dict, dict]:
    levels = facts.levels
    if not facts.holds("string") or facts.holds("timestamp") or levels is None or len(levels) > CLASSES:
        raise Refused(
            "target",
            f"target {facts.name!r} holds values such as {facts.example!r}: neither numbers nor true/false nor at most {CLASSES} classes; name another column",
        )
    if len(levels) == 2:
        rarer = min(levels, key=lambda value: (levels[value], value))
        positive = next((value for value in sorted(levels) if value.strip().lower() in YES), rarer)
        return binary(facts, "string", positive, lambda value: value == positive, notes)
    notes.append(f"{facts.name!r} holds {len(levels)} different texts: a multiclass task")
    prior = {value: round(levels[value] / facts.rows, 6) for value in sorted(levels)}
    return "multiclass", {"prior": prior}, {"type": "string", "categories": sorted(levels)}


# ---- a column


def column_of(table: Survey, facts: Facts, notes: list[str]) -> dict:
    """Type, nullability and limits."""
    nullable = {"nullable": True} if table.nulls(facts) else {}
    if facts.rows == 0:
        return {"type": "string", **nullable}
    kind = type_of(facts, notes)
    return {"type": kind, **nullable, **limits_of(facts, kind), **categories_of(table, facts, kind)}


def type_of(facts: Facts, notes: list[str]) -> str:
    if facts.holds("boolean") and boolean_words(facts):
        return "boolean"
    if facts.holds("integer") and not facts.fractions and not facts.leading_zeros:
        return "integer"
    if facts.holds("float") and not is_code(facts):
        return "float"
    if facts.holds("timestamp"):
        return "timestamp"
    if not facts.holds("string"):
        return commonest_type(facts, notes)
    if isinstance(facts.example, str) and DATE_LIKE.fullmatch(facts.example):
        notes.append(f"{facts.name!r} holds dates such as {facts.example!r}; only ISO 8601 (2013-04-01) is a moment, so it became text")
    elif facts.fits["float"] > facts.rows / 2:
        other = facts.rows - facts.fits["float"]
        notes.append(f"{facts.name!r} holds numbers, but in {other:,} rows something else, so it became text; an empty cell is how a missing number is written")
    return "string"


def is_code(facts: Facts) -> bool:
    """Digits that are no number: 00501, or more of them than a number can keep apart."""
    whole = isinstance(facts.example, str) and facts.example.lstrip("+-").isdigit() and not facts.fractions
    return facts.leading_zeros and facts.holds("integer") or whole and facts.high["float"] > LARGEST_INTEGER


def commonest_type(facts: Facts, notes: list[str]) -> str:
    if not facts.fits:
        raise Refused("column", f"column {facts.name!r} holds values such as {str(facts.example)[:60]!r}, which no type of a contract can hold; remove it from the table")
    kind, count = max(facts.fits.items(), key=lambda item: (item[1], item[0] == "integer"))
    notes.append(f"{facts.name!r} is mostly {kind}, but {facts.rows - count:,} rows hold something else; `fairway load` will quarantine those")
    return kind


def limits_of(facts: Facts, kind: str) -> dict:
    """The range that was seen, with half of it to spare on either side; what seems to begin at nought stays so."""
    if kind not in ("integer", "float"):
        return {}
    low, high = facts.low[kind], facts.high[kind]
    spare = (high - low) / 2 or abs(high) / 2 or 1
    begins_at_nought = low >= 0 and (kind == "integer" or low <= spare / 10)
    least = 0 if begins_at_nought else outwards(low - spare, math.floor)
    most = 0 if high <= 0 and kind == "integer" else outwards(high + spare, math.ceil)
    if not all(map(math.isfinite, (least, most))):
        return {}
    return {"minimum": int(least), "maximum": int(most)} if kind == "integer" else {"minimum": float(least), "maximum": float(most)}


def outwards(value: float, rounded) -> float:
    """To two digits, away from the values that were seen."""
    if not math.isfinite(value):
        return value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value else 1.0
    return float(f"{rounded(value / step) * step:.6g}") if step else value


def categories_of(table: Survey, facts: Facts, kind: str) -> dict:
    """The levels, where another one is unlikely: each was seen again, and none was new in the later half of the rows.

    The share of values seen only once estimates the chance that the next one is new (Good, 1953).
    """
    if kind != "string" or facts.levels is None or not facts.holds("string"):
        return {}
    few = len(facts.levels) * ROWS_PER_LEVEL <= facts.rows and min(facts.levels.values()) > 1
    return {"categories": sorted(facts.levels)} if few and facts.newest_level_at <= table.rows / 2 else {}


# ---- roles


def is_feature(plan: Draft, name: str) -> bool:
    special = (plan.key, plan.event_time, plan.target["column"])
    return name not in special and plan.columns[name].get("role") != "ignored"


def key_of(table: Survey, plan: Draft) -> str | None:
    """The first column that is named like an id and never the same twice."""
    for name, facts in table.columns.items():
        usable = name != plan.target["column"] and plan.columns[name]["type"] in ("string", "integer") and not table.nulls(facts)
        if usable and facts.all_differ and facts.rows and ID_NAME.search(name):
            plan.notes.append(f"{name!r} differs in every row and is named like an id: it is the key, whom a prediction is about")
            return name
    plan.notes.append("no column is an id that differs in every row: the row's own hash is the key")
    return None


def event_time_of(table: Survey, plan: Draft) -> tuple[str | None, dict]:
    """The one column that clearly says when, and the window that its span allows."""
    moments = [name for name, column in plan.columns.items() if column["type"] == "timestamp" and name != plan.target["column"]]
    fitting = [name for name in moments if not plan.columns[name].get("nullable") and not NOT_EVENT.search(name)]
    if len(fitting) > 1:
        fitting = [name for name in fitting if TIME_NAME.search(name)][:1]
    if not fitting:
        plan.notes.append("no column clearly says when a row happened: rows are split by their hash, not by time")
        return None, {}
    name, span = fitting[0], span_days(table.columns[fitting[0]])
    if span < SHORTEST_SPAN_DAYS:
        plan.notes.append(f"{name!r} spans less than {SHORTEST_SPAN_DAYS} days, too little to judge on later days: rows are split by their hash")
        return None, {}
    plan.notes.append(f"{name!r} is the event time: training learns from earlier rows and is judged on later ones")
    return name, window_of(span, table.rows)


def window_of(span: float, rows: int) -> dict:
    if span >= 90 and rows >= WHOLE_SPAN_BELOW_ROWS:
        return {"window_days": 90, "evaluate_days": 28}
    window_days = math.floor(span) + 2
    return {"window_days": window_days, "evaluate_days": max(1, round(window_days * 0.3))}


def leave_out_the_useless(table: Survey, facts: Facts, plan: Draft) -> None:
    why = useless(table, facts, plan.columns[facts.name]["type"])
    if why:
        kept = {key: plan.columns[facts.name].get(key) for key in ("type", "nullable")}  # no limits: it may become anything
        plan.columns[facts.name] = {**{key: value for key, value in kept.items() if value}, "role": "ignored"}
        plan.notes.append(f"{facts.name!r} {why}: not learnt from")


def useless(table: Survey, facts: Facts, kind: str) -> str:
    if facts.rows == 0:
        return "is always empty"
    if facts.mirror and facts.mirror.reveals and facts.rows >= FEW:
        return "says exactly what the target says, which nobody knows beforehand"
    if facts.levels is not None and len(facts.levels) == 1 and not table.nulls(facts):
        return f"is always {facts.example!r}"
    if kind == "timestamp":
        return "is a moment beside the event time; a number such as days since then could be learnt from"
    if facts.all_differ and facts.rows >= FEW and (kind == "string" or (kind == "integer" and ID_NAME.search(facts.name))):
        return "differs in every row"
    return ""


def take_one_back(table: Survey, plan: Draft) -> None:
    """A contract needs a feature; better a useless one than none, but not one that gives the target away."""
    for name, facts in table.columns.items():
        if plan.columns[name].get("role") == "ignored" and facts.rows and not facts.mirror:
            del plan.columns[name]["role"]
            plan.notes.append(f"{name!r} is learnt from after all: there is no other column")
            return
    raise Refused("features", "no column is left to learn from beside the target; give a table with more columns")
