"""Watch, after JudgeWindow: decide what follows from the window, keep that beside it, and order a run where it says so.

The rule is domain/watch/retrain.py; here is what it has to know. A window orders at most one run, by a name that is
made of the window, and from then on its decision stays; until then it is decided anew as often as it is asked. A window
that is watched again after later ones were decided keeps its decision.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol, TypedDict, cast

from domain.config.sections import Config
from domain.money import spending
from domain.money.prices import read_prices
from domain.money.projection import run_usd
from domain.money.usage import month_of
from domain.records import GUARD, LOOP, RELEASE, routing_item, run_key, runs_query, to_attribute, to_item
from domain.release.routing import Champion
from domain.release.state import ReleaseItem
from domain.runs import LoadItem, RunKind, TrainItem, WatchPlan
from domain.timestamps import iso, parse_timestamp
from domain.watch import retrain
from domain.watch.decision import Action, Carried, Decided, Decision, Loop, in_words, is_paused
from domain.watch.new_rows import count_rows
from domain.watch.retrain import Before, Situation
from domain.watch.verdict import WindowItem
from lambdas.aws import clients, tables
from lambdas.aws.deployed import deployed
from lambdas.aws.routes import read_routing
from lambdas.aws.topics import announce
from lambdas.settings import CONFIG

RUNS = os.environ["RUNS_TABLE"]
ROUTING = os.environ["ROUTING_TABLE"]
ALARMS = os.environ["ALARMS"]
TRAIN_FLOW = os.environ["TRAIN_FLOW"]


class WindowMissing(Exception):
    """Report that the window has no verdict to decide on."""


class Order(TypedDict):
    """Input of the Train flow."""

    run: str
    as_of: str
    only_evaluate: bool


class Answer(TypedDict):
    """What the next states of the flow use; nothing is started where `order` is None."""

    decision: Decided | None
    order: Order | None


class Stores(Protocol):
    """What is known, and where decisions are kept."""

    def windows(self) -> Sequence[WindowItem]:
        """Return every window that was judged, the earliest first."""
        ...

    def runs(self) -> Sequence[TrainItem]: ...

    def loads(self) -> Iterable[LoadItem]: ...

    def releases(self) -> Sequence[ReleaseItem]: ...

    def champion(self) -> Champion | None: ...

    def loop(self) -> Loop: ...

    def is_training(self) -> bool: ...

    def is_refused(self) -> bool:
        """Whether the budget's guard refuses new runs."""
        ...

    def run_usd(self) -> float: ...

    def keep(self, window: str, decided: Decided) -> bool:
        """Keep the decision; return False where another one, which started a run, is kept already."""
        ...

    def tell(self, text: str) -> None: ...


def handler(event: WatchPlan, context: object) -> Answer:
    return decide(event, config=CONFIG, stores=AwsStores())


def decide(plan: WatchPlan, *, config: Config, stores: Stores) -> Answer:
    """Decide on the window, unless it ordered a run already or later windows were decided. Raises WindowMissing."""
    windows = stores.windows()
    item = next((item for item in windows if item["run"] == plan["window"]), None)
    if item is None:
        raise WindowMissing(f"window {plan['window']} was not judged; `fairway watch --run` judges it")
    kept, runs = item.get("decision"), {run["run"]: run for run in stores.runs()}
    if kept and "run" in kept:
        return _answer(kept, runs)
    if any("decision" in later for later in windows if later["run"] > plan["window"]):
        return {"decision": kept, "order": None}
    known = [each for each in windows if each["run"] <= plan["window"]]
    loop = stores.loop()
    decision = retrain.decide(_situation(plan, known, runs, loop, config=config, stores=stores))
    decided = _carried_out(decision, plan, loop, config)
    if text := _news(decided, known, config):
        stores.tell(text)
    if not stores.keep(plan["window"], decided):
        return decide(plan, config=config, stores=stores)  # another one has ordered a run meanwhile
    return _answer(decided, runs)


def _answer(decided: Decided, runs: Mapping[str, TrainItem]) -> Answer:
    """Order the run, unless its record shows that it has begun."""
    if "run" not in decided or decided["run"] in runs:
        return {"decision": decided, "order": None}
    only_evaluate = decided["action"] == Action.EVALUATE
    order: Order = {"run": decided["run"], "as_of": decided["as_of"], "only_evaluate": only_evaluate}
    return {"decision": decided, "order": order}


def _carried_out(decision: Decision, plan: WatchPlan, loop: Loop, config: Config) -> Decided:
    decided = cast(Decided, {**decision, "as_of": plan["as_of"]})
    if decision["action"] not in (Action.EVALUATE, Action.RETRAIN):
        return decided
    if is_paused(loop):
        return {**decided, "carried": Carried.PAUSED}
    if config.monitoring.retrain == "manual":
        return {**decided, "carried": Carried.MANUAL}
    return {**decided, "carried": Carried.STARTED, "run": f"{decision['action']}-{plan['window']}"}


# ---- what is known


def _situation(
    plan: WatchPlan,
    windows: Sequence[WindowItem],
    runs: Mapping[str, TrainItem],
    loop: Loop,
    *,
    config: Config,
    stores: Stores,
) -> Situation:
    now, days = _parsed(plan["as_of"]), config.monitoring.window_days
    releases, champion = {item["release"]: item for item in stores.releases()}, stores.champion()
    name = champion["release"] if champion else None
    newest = _newest_training(runs.values())
    trained_at = _parsed(newest["as_of"]) if newest else None
    new_rows, window_rows = count_rows(stores.loads(), newest, now=now, window_days=config.data.window_days)
    until = retrain.days_until_training(config.training.schedule, trained_at=trained_at, now=now)
    states = {release: item.get("state", "") for release, item in releases.items()}
    before = Before(
        released_at=parse_timestamp(champion["since"]) if champion else None,
        trained_at=trained_at,
        rejected=retrain.rejected_in_a_row(windows, runs, states, since=loop.get("resumed_at", "")),
        is_refused=stores.is_refused(),
        is_running=stores.is_training(),
        is_on_its_way=retrain.is_on_its_way(runs.values(), states),
    )
    return Situation(
        at=now,
        window_days=days,
        champion=name,
        state=windows[-1]["state"],
        drifted=retrain.newly_drifted(windows[-1]),
        loss=_loss(windows, releases.get(name) if name else None, config),
        rows_ahead=retrain.rows_ahead(windows, window_days=days, days=until),
        run_usd=stores.run_usd(),
        new_rows=new_rows,
        window_rows=window_rows,
        before=before,
    )


def _newest_training(runs: Iterable[TrainItem]) -> TrainItem | None:
    """Return the newest run that trained, whoever started it; one that only evaluated has no rows to train on."""
    return max((run for run in runs if run.get("train_rows")), key=lambda run: run["as_of"], default=None)


def _loss(windows: Sequence[WindowItem], release: ReleaseItem | None, config: Config) -> retrain.Loss | None:
    """Measure the loss by outcomes; where none came, by the newest evaluation."""
    if release is None:
        return None
    decisions, days = release.get("decisions"), config.monitoring.window_days
    loss = retrain.loss_of(
        windows,
        release["release"],
        business=config.business,
        decisions=decisions,
        wrong_at_release=_wrong_at_release(release),
        window_days=days,
    )
    if loss or "newest" not in release:
        return loss
    return retrain.loss_on_newer_rows(
        release["newest"], business=config.business, decisions=decisions, window_days=days
    )


def _wrong_at_release(release: ReleaseItem) -> float | None:
    """Return the share of wrong answers on the rows that a release was judged on; None for numbers."""
    if decisions := release.get("decisions"):
        return (decisions["false_positive"] + decisions["false_negative"]) / sum(decisions.values())
    accuracy = release.get("metrics", {}).get("accuracy")
    return None if accuracy is None else 1 - accuracy


def _parsed(text: str) -> datetime:
    found = parse_timestamp(text)
    assert found is not None, "select_window and choose_window wrote it"
    return found


# ---- what people are told


def _news(decided: Decided, windows: Sequence[WindowItem], config: Config) -> str:
    """Write what somebody has to know: each run that is started, and once what waits for a person; else nothing."""
    action, carried, stage = decided["action"], decided.get("carried"), config.stage
    earlier = [each["decision"]["action"] for each in windows[-2:] if "decision" in each]
    if action == Action.RETRAIN and carried == Carried.STARTED:
        following = (
            f"{decided['run']} was started, and its candidate has to pass the gate like any other. `fairway rollback "
            f"--stage {stage}` undoes its release; `fairway watch pause --stage {stage}` stops the loop."
        )
    elif action == Action.RETRAIN and carried == Carried.MANUAL and action not in earlier:
        following = f"`fairway train --stage {stage}` starts it."
    elif action == Action.STOPPED and action not in earlier:
        following = (
            f"`fairway releases --stage {stage}` has the reasons; `fairway watch resume --stage {stage}` lets the loop "
            "try again."
        )
    else:
        return ""
    return f"{config.prefix}, window {windows[-1]['run']}: {in_words(decided)}. {following}"


# ---- effects


class AwsStores:
    """The tables of the stage, its flow, and its topic."""

    def windows(self) -> Sequence[WindowItem]:
        return cast(list[WindowItem], self._every(RunKind.WINDOW))

    def runs(self) -> Sequence[TrainItem]:
        return cast(list[TrainItem], self._every(RunKind.TRAIN))

    def loads(self) -> Iterable[LoadItem]:
        return cast(list[LoadItem], self._every(RunKind.LOAD))

    def _every(self, kind: RunKind) -> list[tables.Values]:
        return list(tables.query_all(RUNS, **runs_query(kind), ConsistentRead=True))

    def releases(self) -> Sequence[ReleaseItem]:
        found = tables.scan_all(
            ROUTING,
            FilterExpression="begins_with(#item, :release)",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues=to_item({":release": RELEASE}),
        )
        return cast(list[ReleaseItem], list(found))

    def champion(self) -> Champion | None:
        return read_routing(ROUTING)["champion"]

    def loop(self) -> Loop:
        return cast(Loop, tables.get(ROUTING, routing_item(LOOP)) or {})

    def is_training(self) -> bool:
        """Ask the flow itself: the record of a run that somebody aborted says that it runs for ever."""
        found = clients.stepfunctions().list_executions(
            stateMachineArn=TRAIN_FLOW, statusFilter="RUNNING", maxResults=1
        )
        return bool(found["executions"])

    def is_refused(self) -> bool:
        done = cast(spending.Done | None, tables.get(ROUTING, routing_item(GUARD)))
        return spending.refusal(done, now=iso(datetime.now(UTC))) is not None  # as the run itself would ask

    def run_usd(self) -> float:
        today = datetime.now(UTC).date().isoformat()  # prices have an age; nothing else depends on it
        return run_usd(deployed(), month_of(CONFIG), read_prices(CONFIG.target.region), today=today)

    def keep(self, window: str, decided: Decided) -> bool:
        return tables.held(
            "UpdateItem",
            TableName=RUNS,
            Key=run_key(RunKind.WINDOW, window),
            UpdateExpression="SET #decision = :decision",
            ConditionExpression="attribute_not_exists(#decision.#run)",
            ExpressionAttributeNames={"#decision": "decision", "#run": "run"},
            ExpressionAttributeValues={":decision": to_attribute(dict(decided))},
        )

    def tell(self, text: str) -> None:
        announce(ALARMS, f"{CONFIG.prefix}: retraining", text)
