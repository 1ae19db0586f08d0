"""What is being tried: the rollout or experiment that runs, or ran last, with its evidence over time."""

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from domain.release.evidence import BACK
from domain.release.harm import in_digits
from domain.release.looks import Look
from domain.release.rollout import UNDER_WAY, percent
from domain.timestamps import parse_timestamp
from domain.train.curves import Points
from fairway.report.curve_charts import TICKS, Axis, Line, axis_over, lines
from fairway.report.record import Evidence, Trial
from fairway.stage import rollouts
from fairway.stage.aws import Stage

HOUR_S = 3600


def read_trial(stage: Stage) -> Trial | None:
    """Read the rollout or experiment of a stage; None where there was none yet, or no table of evidence."""
    current = rollouts.turns_of(stage)["current"]
    if current is None or "evidence" not in stage.addresses:
        return None
    asked = current.get("experiment")
    verdict = asked.get("verdict") if asked else None
    return Trial(
        kind="experiment" if asked else "rollout",
        release=current["release"],
        champion=current["champion"],
        state=current["state"],
        is_running=current["state"] in UNDER_WAY,
        share=percent(current["share"]),
        began_at=current["began_at"],
        since=current["step_since"],
        why=current["why"],
        metric=asked["metric"] if asked else None,
        found=verdict["sentence"] if verdict else None,
        looks=current["looks"],
        evidence=[
            Evidence(one.rule, in_digits(one.log_e), in_digits(one.boundary), one.counts)
            for one in rollouts.evidence_of(stage, current)
        ],
    )


def harm_chart(trial: Trial) -> Markup | None:
    """Draw each rule's e-value over time, and where it ends the trial; None before there are two looks."""
    if len(trial.looks) < 2:
        return None
    rules = [one.rule for one in trial.evidence]
    rows = [Line(rule, _over_time(trial, _of_rule(rule)), look=number) for number, rule in enumerate(rules)]
    ten = math.log(10)
    rows.append(
        Line("goes back (split: at 3)", [(x, BACK / ten) for x, _ in rows[0].points], look=len(rules), strong=True)
    )
    return _draw(rows, "log10 of the e-value", f"evidence of harm by {trial.release}")


def difference_chart(trial: Trial) -> Markup | None:
    """Draw an experiment's difference and its interval over time, beside 0; None before two looks knew it."""
    known = [look for look in trial.looks if "difference" in look]
    if len(known) < 2:
        return None
    names = (("low end", 4), ("difference", 0), ("high end", 4))
    rows = [
        Line(name, _over_time(trial, _end(end), known), look=look, strong=end == 1)
        for end, (name, look) in enumerate(names)
    ]
    rows.append(Line("no difference", [(x, 0.0) for x, _ in rows[0].points], look=1))
    return _draw(rows, f"{trial.metric}, challenger less champion", f"{trial.release} beside {trial.champion}")


def _draw(rows: list[Line], name: str, title: str) -> Markup:
    xs, ys = zip(*(point for row in rows for point in row.points), strict=True)
    return lines(rows, x=_round("hours since it began", [0.0, *xs]), y=_round(name, ys), title=title)


def _round(name: str, values: Sequence[float]) -> Axis:
    """Make an axis that holds the values between round numbers, with a round number at each tick."""
    low, high = min(values), max(values)
    size = 10.0 ** math.floor(math.log10((high - low) / TICKS)) if high > low else 1.0
    for step in (size * times for times in (1, 2, 2.5, 5, 10, 20)):
        start = math.floor(low / step) * step
        if start + TICKS * step >= high:
            return Axis(name, start, start + TICKS * step)
    return axis_over(name, values)


def _of_rule(rule: str) -> Callable[[Look], float]:
    return lambda look: look["evidence"].get(rule, 0.0) / math.log(10)


def _end(number: int) -> Callable[[Look], float]:
    return lambda look: look["difference"][number]


def _over_time(trial: Trial, value: Callable[[Look], float], looks: list[Look] | None = None) -> Points:
    began = parse_timestamp(trial.began_at)
    found = []
    for look in trial.looks if looks is None else looks:
        at = parse_timestamp(look["at"])
        if began and at:
            found.append(((at - began).total_seconds() / HOUR_S, value(look)))
    return found
