"""A stage in numbers: windows of answers with their outcomes, judged and decided on by the rules of production.

Each window has as many answers, of which some share is late; `recognised` says how often a release recognises a late
and a timely one by then. A retraining ends before the next window, with a release as good as in the first one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np

from domain.config.sections import Business
from domain.runs import RunKind
from domain.watch import retrain, verdict
from domain.watch.decision import Action, Decision
from domain.watch.happened import Happened
from domain.watch.retrain import Before, Situation
from domain.watch.verdict import WindowItem

FIRST = date(2013, 1, 1)
VALUES = Business(true_positive_usd=40.0, false_positive_usd=-12.0, false_negative_usd=-25.0)
AT_RELEASE = (0.7, 0.9)  # of late and of timely ones
HELD_OUT = 5_000
Recognised = Callable[[int, int], tuple[float, float]]  # of a window's number, and that of the release's first window


def cells_of(draw: np.random.Generator, rows: int, recognised: tuple[float, float], late: float = 0.25) -> dict:
    lates = int(draw.binomial(rows, late))
    hits, quiet = int(draw.binomial(lates, recognised[0])), int(draw.binomial(rows - lates, recognised[1]))
    return {
        "true_positive": hits,
        "false_negative": lates - hits,
        "true_negative": quiet,
        "false_positive": rows - lates - quiet,
    }


def name_of(number: int) -> str:
    return f"{FIRST + timedelta(days=number)}"


def timestamp_of(number: int) -> datetime:
    """When window `number` is looked at: half an hour after its end."""
    day = FIRST + timedelta(days=number + 1)
    return datetime(day.year, day.month, day.day, 0, 30, tzinfo=UTC)


@dataclass
class Loop:
    """The stage so far."""

    draw: np.random.Generator
    recognised: Recognised
    rows: int = 1_000
    business: Business = VALUES
    rejects: Callable[[int], bool] = lambda number: False
    release: int = 0  # the window that the champion was released before
    trained_at: datetime | None = None
    rejected: int = 0
    at_release: dict = field(default_factory=dict)
    happened: list[Happened] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def run(self, windows: int) -> list[int]:
        """Return the numbers of the windows after which a training was started."""
        self.at_release = cells_of(self.draw, HELD_OUT, AT_RELEASE)
        for number in range(windows):
            cells = cells_of(self.draw, self.rows, self.recognised(number, self.release))
            wrong = cells["false_positive"] + cells["false_negative"]
            self.happened.append(Happened(name_of(number), {"outcomes": self.rows, "wrong": wrong, **cells}))
            self.look(number)
        return [number for number, each in enumerate(self.decisions) if each["action"] == Action.RETRAIN]

    def look(self, number: int) -> None:
        decision = retrain.decide(self.situation(number))
        self.decisions.append(decision)
        if decision["action"] != Action.RETRAIN:
            return
        self.trained_at = timestamp_of(number)
        if self.rejects(number):
            self.rejected += 1
        else:
            self.release, self.rejected = number + 1, 0
            self.at_release = cells_of(self.draw, HELD_OUT, AT_RELEASE)

    def situation(self, number: int) -> Situation:
        windows = self.windows(number)
        wrong = self.at_release["false_positive"] + self.at_release["false_negative"]
        loss = retrain.loss_of(
            windows,
            f"r-{self.release}",
            business=self.business,
            decisions=self.at_release,
            wrong_at_release=wrong / HELD_OUT,
            window_days=1,
        )
        return Situation(
            at=timestamp_of(number),
            window_days=1,
            champion=f"r-{self.release}",
            state=windows[-1]["state"],
            drifted=(),
            loss=loss,
            rows_ahead=retrain.rows_ahead(windows, window_days=1, days=30.0),
            run_usd=0.5,
            new_rows=self.rows,
            window_rows=self.rows,
            before=Before(
                released_at=timestamp_of(self.release - 1) if self.release else None,
                trained_at=self.trained_at,
                rejected=self.rejected,
            ),
        )

    def windows(self, number: int) -> list[WindowItem]:
        """Judge the champion's windows; the outcomes of the newest have not come yet."""
        release, own = f"r-{self.release}", self.happened[self.release : number]
        wrong = self.at_release["false_positive"] + self.at_release["false_negative"]
        reference = {"rows": HELD_OUT, "features": {}, "prediction": {}, "wrong": wrong, "value_usd": None}
        outcomes, declines = verdict.outcomes_of("binary", own, reference, days=1, closed=[each.window for each in own])
        return [self.window(each, release, outcomes, declines) for each in range(self.release, number + 1)]

    def window(self, number: int, release: str, outcomes: dict, declines: list) -> WindowItem:
        name = name_of(number)
        findings = [{**each, "release": release} for each in declines if each["window"] == name]
        return {
            "kind": RunKind.WINDOW,
            "run": name,
            "start": f"{name}T00:00:00Z",
            "end": f"{name_of(number + 1)}T00:00:00Z",
            "as_of": f"{timestamp_of(number):%Y-%m-%dT%H:%M:%SZ}",
            "state": verdict.state_of(self.rows, findings),
            "rows": self.rows,
            "releases": {},
            "outcomes": {release: outcomes[name]} if name in outcomes else {},
            "breaches": {"rows": 0, "quarantined": 0, "reasons": {}},
            "findings": findings,
        }
