"""What `fairway report` gathered, as one HTML page: no script, nothing fetched, every text escaped."""

from html import escape

from fairway.money import hosting_plot
from fairway.money.tables import measured_by
from fairway.report import charts
from fairway.report.markup import count, figure, judgement, moment, name, note, number, paragraph, plain, table, unknown
from fairway.report.style import STYLE

WHEN = ("first", "last", "loaded_at")
NOTHING_FETCHED = "default-src 'none'; style-src 'unsafe-inline'"
Z_95 = 1.96  # of the normal distribution: so many standard errors each way hold the true value 95 times in 100


def page(found: dict) -> str:
    title = f"{found['project']}, stage {found['stage']}"
    sections = (
        ("Who answers now, and why", _who_answers),
        ("How sure is it", _how_sure),
        ("What if it fails", _what_if_it_fails),
        ("Every release", _every_release),
        ("What was loaded, and what was not", _what_was_loaded),
        ("Batches", _batches),
        ("What it costs a month", _what_it_costs),
        ("Is it worth it", _is_it_worth_it),
        ("What it depends on", _what_it_depends_on),
    )
    body = "\n".join(f"<section><h2>{escape(heading)}</h2>\n{told(found)}</section>" for heading, told in sections)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{NOTHING_FETCHED}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>\n{STYLE}</style></head>\n'
        f'<body><h1>{escape(title)}</h1><p class="soft">Made by fairway report at '
        f"{escape(plain(found['made_at']))} from what the stage holds; all times are UTC.</p>\n"
        f"{_facts(found)}\n{body}\n</body></html>\n"
    )


def _facts(found: dict) -> str:
    """The page in five lines, for who reads no further."""
    champion, judged, bill = found["champion"], found["judged"], found["money"]
    quality = (
        ("not known yet", "") if not judged else (f"{judged['metric']} {judged['quality']:.4f}", _agreed_text(judged))
    )
    monthly = (
        ("not known", bill["unknown"])
        if "unknown" in bill
        else (f"${bill['monthly_usd']:,.2f}", f"of ${bill['budget_usd']:,.2f} budget, projected")
    )
    rows = (
        (
            "answers now",
            champion["release"] if champion else "the fallback",
            f"since {plain(champion['since'])}" if champion else found["routing_reason"],
        ),
        ("quality", *quality),
        (
            "if it fails",
            f"the fallback, after {found['failing']['deadline_ms']:,} ms",
            _fallback_share(found["failing"]),
        ),
        ("a month", *monthly),
    )
    said = "".join(
        f"<div><dt>{escape(what)}</dt><dd>{escape(value)}<small>{escape(more)}</small></dd></div>"
        for what, value, more in rows
    )
    return f'<dl class="facts">{said}</dl>'


def _agreed_text(judged: dict) -> str:
    word = "most" if judged["smaller_is_better"] else "least"
    return f"at {word} {judged['agreed']:g} was agreed" if judged["agreed"] else "no limit was agreed"


# ---- sections


def _who_answers(found: dict) -> str:
    champion, judged = found["champion"], found["judged"]
    if not champion:
        why = paragraph(f"No release answers: the fallback answers everybody. Why: {found['routing_reason']}.")
        return why + unknown(
            "What a release would be judged on is agreed in fairway.toml, [benchmarks]; nothing "
            "has been measured that answers."
        )
    told: str = paragraph(
        f"{champion['release']} ({champion.get('candidate', 'candidate unknown')}) has answered "
        f"since {plain(champion['since'])}."
    )
    told += paragraph(f"Why it was let answer: {found['routing_reason']}")
    if champion.get("reason") not in (None, found["routing_reason"]):
        told += paragraph(f"How it was judged: {champion['reason']}")
    if not judged:
        return told + unknown("What its run measured is no longer in the lake.")
    window = judged["window"]
    rows = [
        (
            each["what"],
            each["agreed"] or "nothing",
            number(each["measured"]),
            number(each["prior"]),
            number(each["before"]),
            _kept(each["kept"]),
        )
        for each in judged["checks"]
    ]
    before = judged["before"]
    heads = (
        "benchmark",
        "agreed",
        "measured",
        "the prior",
        f"champion before ({before['release']})" if before else "champion before",
        "",
    )
    told += table(rows, heads, numbers=(2, 3, 4))
    told += note(
        f"All on the same {judged['rows']:,} rows from {plain(window['evaluate_start'])} to "
        f"{plain(window['as_of'])}{_learnt(champion, window)}"
    )
    if not before:
        told += unknown("There was no champion to compare it with when it was judged.")
    return told + figure(
        _quality_chart(judged, champion), f"{judged['metric']}, {_better(judged)}; whiskers are 95 % ranges."
    )


def _learnt(champion: dict, window: dict) -> str:
    if champion["run"].startswith("import-"):
        return ". The model was made elsewhere: whether it had learnt from these rows, its maker knows."
    return f", which no candidate had learnt from (they learnt from {plain(window['train_start'])} on)."


def _quality_chart(judged: dict, champion: dict) -> str:
    tried = [each["candidate"] for each in judged["tried"]]
    rows = [{"name": "prior", "value": judged["prior"]}] if judged["prior"] is not None and "prior" not in tried else []
    rows += [{"name": "champion before", "value": judged["before"]["quality"]}] if judged["before"] else []
    for each in sorted(judged["tried"], key=lambda each: each["quality"], reverse=judged["smaller_is_better"]):
        error = Z_95 * each["standard_error"] if each["standard_error"] else None
        rows.append(
            {
                "name": each["candidate"],
                "value": each["quality"],
                "error": error,
                "strong": each["candidate"] == champion["candidate"],
            }
        )
    return charts.dots(
        rows,
        limit=judged["agreed"],
        limit_name=_agreed_text(judged),
        title=f"{judged['metric']} of all that were compared",
    )


def _better(judged: dict) -> str:
    return "smaller is better" if judged["smaller_is_better"] else "larger is better"


def _kept(value: bool | None) -> str:
    return judgement(value, good="kept", bad="broken", neither="nothing agreed")


def _how_sure(found: dict) -> str:
    judged = found["judged"]
    if not judged:
        return unknown("Not known yet: no release that answers has been measured.")
    quality, error, metric = judged["quality"], judged["standard_error"], judged["metric"]
    if error:
        span = f"between {quality - Z_95 * error:.4f} and {quality + Z_95 * error:.4f} in 95 of 100 such measurements"
        told: str = paragraph(f"{metric} is {quality:.4f}, standard error {error:.4f}: {span}.")
    else:
        told = paragraph(f"{metric} is {quality:.4f}.") + unknown("Its standard error was not measured.")
    if judged["calibration_error"] is None:
        return told + unknown("Calibration was not measured; this task or model gives no probabilities to calibrate.")
    return told + paragraph(
        f"Calibration error {judged['calibration_error']:.4f}: the probabilities it gives are off "
        f"by {100 * judged['calibration_error']:.1f} "
        "percentage points on average from how often it really happened; at most "
        f"{100 * judged['calibration_limit']:g} were agreed."
    )


def _what_if_it_fails(found: dict) -> str:
    failing = found["failing"]
    answer = failing["answer"]
    said = (
        f"{failing['target']} = "
        f"{str(answer['prediction']).lower() if isinstance(answer['prediction'], bool) else answer['prediction']}"
    )
    said += f", probability {answer['probability']:g}" if answer["probability"] is not None else ""
    told: str = paragraph(
        f"When no model answers within {failing['deadline_ms']:,} ms, the fallback does: {said}, "
        "the contract's prior, the same for everybody."
    )
    told += paragraph(_fallback_share(failing) + f" An alarm sounds above {failing['alarm_percent']:g} %.")
    if not failing["rollback_to"]:
        return told + unknown("There is no earlier champion to roll back to.")
    kept_up = (
        f"its endpoint stays up for {failing['keep_previous_minutes']:,} minutes after it was "
        "replaced, later it is deployed anew"
    )
    return told + paragraph(f"`fairway rollback` lets {failing['rollback_to']} answer again; {kept_up}.")


def _fallback_share(failing: dict) -> str:
    if not failing["looked_at"]:
        return "How often the fallback answered is not known: no stored answer."
    share = 100 * failing["by_fallback"] / failing["looked_at"]
    return (
        f"{failing['by_fallback']:,} of {failing['looked_at']:,} stored answers looked at are the "
        f"fallback's ({share:.1f} %)."
    )


def _every_release(found: dict) -> str:
    rows = [
        (
            name(each["release"]),
            each.get("state"),
            each.get("candidate"),
            moment(each.get("created_at")),
            each.get("reason"),
        )
        for each in found["releases"]
    ]
    return table(rows, ("release", "state", "candidate", "judged at", "why")) if rows else unknown("No release yet.")


def _what_was_loaded(found: dict) -> str:
    loads = found["loads"]
    if not loads["files"]:
        return unknown("Nothing has been loaded yet.")
    files = [
        (
            name(each.get("file")),
            count(each["accepted"]),
            count(each["quarantined"]),
            *(moment(each.get(when)) for when in WHEN),
        )
        for each in loads["files"]
    ]
    told: str = paragraph(
        f"{loads['accepted']:,} rows accepted, {loads['quarantined']:,} quarantined, of {len(files)} files."
    )
    told += _reasons(loads["reasons"], "No row broke the contract.")
    return told + table(
        files, ("file", "accepted", "quarantined", "first event", "last event", "loaded at"), numbers=(1, 2)
    )


def _reasons(counts: dict, otherwise: str) -> str:
    if not counts:
        return note(otherwise)
    rows = [(rule, f"{count:,}") for rule, count in counts.items()]
    return table(rows, ("rule broken", "times"), numbers=(1,)) + note(
        "A row may break several rules. None is dropped: all are in the lake's quarantine."
    )


def _batches(found: dict) -> str:
    if not found["batches"]:
        return unknown("No batch has been scored yet.")
    counted = ("read", "scored", "quarantined", "written")
    rows = [
        (
            name(each["run"]),
            each["status"],
            name(each["release"] or "the fallback"),
            *(count(each[key]) for key in counted),
            judgement(each["adds_up"], good="yes", bad="no", neither="not counted"),
            count(each["seconds"]),
        )
        for each in found["batches"]
    ]
    heads = ("run", "status", "scored by", *counted, "adds up", "seconds")
    return table(rows, heads, numbers=(3, 4, 5, 6, 8)) + note(
        "Adds up: read = scored + quarantined, and scored = written."
    )


def _what_it_costs(found: dict) -> str:
    bill = found["money"]
    if "unknown" in bill:
        return unknown(f"Not known: {bill['unknown']}")
    budget, alert = bill["budget_usd"], bill["budget_usd"] * bill["alert_percent"] / 100
    told: str = paragraph(
        f"${bill['monthly_usd']:,.2f} a month (${bill['low_usd']:,.2f} to ${bill['high_usd']:,.2f}) "
        f"at {bill['usage']} usage, of a budget of "
        f"${budget:,.2f}; ${bill['fixed_usd']:,.2f} of it is fixed. A projection from templates and "
        "list prices, not a bill."
    )
    if bill["per_thousand_predictions_usd"] is not None:
        told += paragraph(
            f"${bill['per_thousand_predictions_usd']:,.4f} per thousand of "
            f"{bill['predictions']:,.0f} predictions; a thousand more cost "
            f"${bill['next_thousand_predictions_usd']:,.4f}."
        )
    rows = [{"name": flow, "value": usd} for flow, usd in bill["by_flow_usd"].items()]
    rows.append(
        {
            "name": "together",
            "value": bill["monthly_usd"],
            "low": bill["low_usd"],
            "high": bill["high_usd"],
            "strong": True,
        }
    )
    lines = [(alert, f"{bill['alert_percent']:g} %: a warning"), (budget, f"budget ${budget:,.2f}")] if budget else []
    told += figure(
        charts.bars(rows, lines=lines, title="cost by flow, US dollars a month"),
        "US dollars a month by flow; the line across the last bar is the range of the projection.",
    )
    if bill["unpriced"]:
        told += paragraph(
            "Not in the total: " + ", ".join(sorted({each["resource"] for each in bill["unpriced"]})) + "."
        )
    return told + note(f"The oldest price is of {bill['oldest_price'] or 'no date'}.") + _hosts(found, bill)


def _hosts(found: dict, bill: dict) -> str:
    hosting, release = bill["hosting"], found["champion"] and found["champion"]["release"]
    told = (
        "<h3>What to host the model "
        f"on</h3>{paragraph('Cheapest that may be used: ' + (hosting['cheapest'] or 'none') + '.')}"
    )
    if not hosting["curve"]:
        return told + unknown("There is nothing to draw: the usage has no requests.")
    picture = hosting_plot.svg(hosting, title="Hosting: what it costs at what traffic", requests=bill["requests"])
    return told + figure(picture, measured_by(release), kind="plot")


def _is_it_worth_it(found: dict) -> str:
    worth = found["money"].get("worth")
    if not worth:
        return unknown(
            "Not known yet: it takes a projected cost, the values of [business], and decisions "
            "that a champion's run counted."
        )
    told: str = paragraph(worth["sentence"])
    if worth["break_even_predictions"] is not None:
        told += paragraph(f"It pays for itself from {worth['break_even_predictions']:,.0f} predictions a month on.")
    return told


def _what_it_depends_on(found: dict) -> str:
    by_source: dict[tuple[str, str], list[dict]] = {}
    for column in found["columns"]:
        by_source.setdefault((column["source"], column["owner"]), []).append(column)
    named = [
        (source or "source not said", owner or "owner not said", len(columns))
        for (source, owner), columns in by_source.items()
    ]
    told = paragraph(
        f"{len(found['columns'])} columns: "
        + "; ".join(f"{many} from {source} ({owner})" for source, owner, many in named)
        + "."
    )
    rows = [
        (
            name(each["source"] or None),
            name(each["owner"] or None),
            name(each["name"]),
            each["type"],
            each["role"],
            "yes" if each["nullable"] else "",
            each["description"],
        )
        for columns in by_source.values()
        for each in columns
    ]
    return told + table(rows, ("source", "owner", "column", "type", "role", "may be empty", "what it is"))
