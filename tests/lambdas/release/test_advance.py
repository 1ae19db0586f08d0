"""A look at a rollout made true: in the routing, in the release's item, and in what people are told."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from domain.money import spending
from domain.records import from_item, routing_item
from domain.release.counts import counts_key
from domain.release.harm import Limits
from domain.release.rollout import Plan
from domain.release.routing import RoutingChanged, answerers, percents
from domain.timestamps import iso
from lambdas.aws import tables
from lambdas.aws.routes import read_routing
from lambdas.release import advance as module
from lambdas.release.advance import handler
from tests.lambdas import stage

PLAN = Plan(shares=(0.05, 0.5), minutes=0.0, rows=100, look_s=60, limits=Limits())


@pytest.fixture
def rollout(aws, monkeypatch):
    """A champion, r-1, and a plan of two shares; what is told is kept."""
    monkeypatch.setattr(module, "PLAN", PLAN)
    topic = boto3.client("sns").create_topic(Name="flights-local-alarms")["TopicArn"]
    queue = boto3.client("sqs").create_queue(QueueName="told")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:123456789012:told"
    boto3.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    aws.route()
    aws.told = lambda: [
        message["Body"]
        for message in boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    ]
    return aws


def asked(release="r-2", minute=1, **more) -> dict:
    at = f"2026-11-28T12:{minute:02d}:00Z"
    names = {"release": release, "endpoint": f"flights-local-{release}", "asked_at": at}
    return {"rollout": f"{release}/{at}", **names, **more}


def look(release="r-2", minute=1, **more) -> tuple[str, str, str]:
    answer = handler(asked(release, minute, **more), None)
    return answer["next"], answer["state"], answer["reason"]


def count(aws, share: float, *, rollout=asked()["rollout"], **numbers) -> None:
    key = from_item(counts_key(rollout, share))
    aws.put(stage.EVIDENCE, **key, **numbers)


def answering() -> dict[str, float]:
    return percents(read_routing(stage.ROUTING))


def state_of(aws, release="r-2") -> str:
    return aws.item(stage.ROUTING, item=f"release#{release}")["state"]


def turns(aws) -> dict:
    return aws.item(stage.ROUTING, item="rollout")


def test_a_rollout_begins_with_its_first_share_and_says_how_to_end_it(rollout):
    assert look() == ("wait", "canary", "begins beside r-1")
    assert (answering(), state_of(rollout)) == ({"r-1": 95.0, "r-2": 5.0}, "canary")
    [message] = rollout.told()
    assert message == (
        "flights-local, r-2: canary at 5 %: begins beside r-1. "
        "`fairway rollout abort --stage local` lets the champion answer everybody."
    )


def test_without_a_champion_there_is_nobody_to_be_compared_with(aws, monkeypatch):
    monkeypatch.setattr(module, "PLAN", PLAN)
    assert look() == ("promote", "champion", "there is nobody to be compared with")


def test_a_champion_before_is_champion_again_at_once_since_a_rollback_cannot_wait(rollout):
    before = {"release": "r-0", "endpoint": "flights-local-r-0", "since": "2013-03-01T00:00:00Z"}
    rollout.routing(champion=rollout.route()["champion"], previous=[before])
    assert look("r-0") == ("promote", "champion", "it was champion before")


def test_without_answers_nothing_moves_and_nobody_is_told_again(rollout):
    look()
    rollout.told()
    version = read_routing(stage.ROUTING)["version"]
    assert look() == ("wait", "canary", "holds at 5 %: the canary has answered nobody yet")
    assert (read_routing(stage.ROUTING)["version"], rollout.told()) == (version, [])


def test_answers_lead_to_the_next_share_and_at_the_last_one_to_promote(rollout):
    look()
    count(rollout, 0.05, canary_rows=200, champion_rows=3_800, canary_entities=20, champion_entities=380)
    assert look()[:2] == ("wait", "canary")
    assert answering() == {"r-1": 50.0, "r-2": 50.0}
    count(rollout, 0.5, canary_rows=200, champion_rows=200, canary_entities=20, champion_entities=20)
    assert look()[:2] == ("promote", "champion")
    assert (answering(), state_of(rollout)) == ({"r-1": 50.0, "r-2": 50.0}, "canary")  # until Promote
    assert look()[:2] == ("promote", "champion")
    assert "`fairway rollback --stage local` takes it back." in rollout.told()[-1]


def test_a_canary_that_fails_goes_back_by_itself_with_the_evidence(rollout):
    look()
    rollout.told()
    numbers = {"canary_rows": 20, "champion_rows": 380, "canary_entities": 20, "champion_entities": 380}
    count(rollout, 0.05, **numbers, canary_error=20, canary_fallback=20, champion_error=1, champion_fallback=1)
    following, state, why = look()
    assert (following, state) == ("end", "rolled back")
    assert why.startswith("failed answers: entities that failed: 20 of 20 of the canary, 1 of 380 of the champion; ")
    assert (answering(), state_of(rollout)) == ({"r-1": 100.0}, "rolled back")
    assert read_routing(stage.ROUTING)["reason"] == f"rollout of r-2: {why}"
    [message] = rollout.told()
    assert message == (
        f"flights-local, r-2: rolled back: {why}. "
        "`fairway promote r-2 --again --stage local` lets it answer all the same."
    )
    assert look() == (following, state, why)  # whoever asks again is told the same, and nothing is done twice
    assert rollout.told() == []


def test_a_shadow_is_asked_about_its_sample_first_and_told_like_every_step(rollout, monkeypatch):
    monkeypatch.setattr(module, "PLAN", replace(PLAN, shadow=0.2, shadow_rows=100))
    assert look() == ("wait", "shadow", "begins beside r-1")
    assert (answering(), state_of(rollout)) == ({"r-1": 100.0}, "canary")
    assert read_routing(stage.ROUTING)["shadow"]["release"] == "r-2"
    [message] = rollout.told()
    assert message == (
        "flights-local, r-2: shadow at 20 %: begins beside r-1. `fairway rollout abort --stage local` asks it no more."
    )
    assert look() == ("wait", "shadow", "holds as a shadow at 20 %: the shadow was asked nothing yet")
    numbers = {"canary_rows": 200, "champion_rows": 200, "canary_entities": 90, "champion_entities": 90}
    count(rollout, 0.5, rollout=f"{asked()['rollout']}/shadow", **numbers)
    assert look()[:2] == ("wait", "canary")
    assert (answering(), "shadow" in read_routing(stage.ROUTING)) == ({"r-1": 95.0, "r-2": 5.0}, False)
    assert look()[2] == "holds at 5 %: the canary has answered nobody yet"


def test_a_shadow_that_does_harm_goes_back_before_anybody_was_answered(rollout, monkeypatch):
    monkeypatch.setattr(module, "PLAN", replace(PLAN, shares=(), shadow=0.2))
    look()
    numbers = {"canary_rows": 40, "champion_rows": 40, "canary_entities": 40, "champion_entities": 40}
    count(rollout, 0.5, rollout=f"{asked()['rollout']}/shadow", **numbers, canary_error=40, canary_fallback=40)
    following, state, why = look()
    assert (following, state, state_of(rollout)) == ("end", "rolled back", "rolled back")
    assert read_routing(stage.ROUTING)["reason"] == f"rollout of r-2: {why}"
    assert "shadow" not in read_routing(stage.ROUTING)
    assert "lets it answer all the same" in rollout.told()[-1]


def killed_at_second(write):
    """In place of `write`: the first of a look writes the decision down, the second that it is made true."""
    calls = itertools.count(1)

    def killed(*arguments):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return write(*arguments)

    return killed


@pytest.mark.parametrize("killed_before", ["the routing", "the mark", "anybody is told", "the last write"])
def test_whoever_is_killed_after_deciding_finds_the_decision_at_the_next_look(rollout, monkeypatch, killed_before):
    look()
    numbers = {"canary_rows": 20, "champion_rows": 380, "canary_entities": 20, "champion_entities": 380}
    count(rollout, 0.05, **numbers, canary_error=20, canary_fallback=20)
    broken = {"the routing": "write_routing", "the mark": "mark", "anybody is told": "_announce"}.get(killed_before)
    told = rollout.told()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if broken:
            patch.setattr(module, broken, killed)
        else:
            patch.setattr(module, "_write", killed_at_second(module._write))
        with pytest.raises(KeyboardInterrupt):
            look()
    assert look()[:2] == ("end", "rolled back")
    assert [message for message in rollout.told() if message not in told], "somebody was told of it"
    assert (answering(), state_of(rollout)) == ({"r-1": 100.0}, "rolled back")


def test_a_routing_that_somebody_wrote_meanwhile_is_read_anew(rollout, monkeypatch):
    monkeypatch.setattr(module, "write_routing", lambda *_: False)
    with pytest.raises(RoutingChanged, match="the routing changed while r-2 was on its way; try again"):
        look()
    monkeypatch.undo()
    monkeypatch.setattr(module, "PLAN", PLAN)
    assert look()[:2] == ("wait", "canary")
    assert answering() == {"r-1": 95.0, "r-2": 5.0}


def test_the_budget_ends_a_rollout(rollout):
    look()
    alone = {**read_routing(stage.ROUTING), "claims": [], "reason": "100 % of the budget is spent"}
    rollout.routing(**{name: value for name, value in alone.items() if name != "item"})
    assert look() == ("end", "aborted", "100 % of the budget is spent")
    assert state_of(rollout) == "aborted"


def test_a_flow_that_fails_gives_its_share_back(rollout):
    look()
    assert look(failed="States.Timeout: Promote")[:2] == ("end", "aborted")
    assert answering() == {"r-1": 100.0}


def test_a_release_waits_for_the_canary_before_it_and_the_last_of_several_goes_on(rollout):
    look()
    assert look("r-3", 2) == ("wait", "queued", "waits for r-2")
    assert look("r-4", 3) == ("wait", "queued", "waits for r-2")
    assert look("r-3", 2) == ("end", "superseded", "r-4 was approved later")
    assert state_of(rollout, "r-3") == "superseded"
    look(failed="over")
    assert look("r-4", 3) == ("wait", "canary", "begins beside r-1")
    assert answering() == {"r-1": 95.0, "r-4": 5.0}
    assert look()[:2] == ("end", "aborted")  # it does not stand in line again


def test_a_rollout_whose_flow_is_lost_is_taken_back_by_the_next(rollout):
    look()
    current = turns(rollout)["current"]
    long_ago = iso(datetime.now(UTC) - timedelta(hours=3))
    rollout.put(stage.ROUTING, **{**turns(rollout), "current": {**current, "looked_at": long_ago}})
    assert look("r-3", 2)[:2] == ("wait", "canary")
    assert answering() == {"r-1": 95.0, "r-3": 5.0}
    assert state_of(rollout) == "aborted"


def test_a_pause_holds_a_share_that_has_earned_more(rollout):
    look()
    current = {**turns(rollout)["current"], "paused": "paused by hand"}
    rollout.put(stage.ROUTING, **{**turns(rollout), "current": current})
    count(rollout, 0.05, canary_rows=200, champion_rows=3_800, canary_entities=20, champion_entities=380)
    assert look() == ("wait", "canary", "holds at 5 %: paused by hand")


def test_no_shares_make_the_release_champion_at_once(rollout, monkeypatch):
    monkeypatch.setattr(module, "PLAN", replace(PLAN, shares=()))
    assert look()[0] == "promote"
    assert tables.get(stage.ROUTING, routing_item("rollout")) is None


# ---- experiments

EXPERIMENT = {"share": 0.5, "metric": "correct", "users": 1_000, "days": 14.0, "by": "a person", "before": "waiting"}
TRIAL = f"experiment#{asked()['rollout']}"


def compare(release="r-2", minute=1, **more) -> tuple[str, str, str]:
    return look(release, minute, experiment=EXPERIMENT, **more)


def turned_out(aws, *, challenger: int, champion: int) -> None:
    """So many of 500 entities of each arm got a right answer."""
    entities = {"canary_entities": 500, "champion_entities": 500}
    numbers = {"canary_true_negative": challenger, "canary_false_negative": 500 - challenger}
    numbers |= {"champion_true_negative": champion, "champion_false_negative": 500 - champion}
    count(aws, 0.5, rollout=TRIAL, **entities, **numbers)


def recorded(aws) -> dict:
    return aws.item(stage.RUNS, kind="experiment", run=TRIAL)


def test_an_experiment_answers_its_share_as_challenger_and_its_record_says_who_asked_for_what(rollout):
    assert compare() == ("wait", "challenger", "compared with r-1 by correct")
    assert (answering(), state_of(rollout)) == ({"r-1": 50.0, "r-2": 50.0}, "challenger")
    assert {name: recorded(rollout)[name] for name in ("status", "release", "champion", "experiment", "state")} == {
        "status": "RUNNING",
        "release": "r-2",
        "champion": "r-1",
        "experiment": EXPERIMENT,
        "state": "challenger",
    }
    [message] = rollout.told()
    assert message.endswith("`fairway experiment stop --stage local` lets the champion answer everybody.")
    assert compare()[:2] == ("wait", "challenger")
    assert rollout.told() == []


def test_a_better_challenger_is_told_of_once_and_stays_until_a_person_decides(rollout):
    compare()
    rollout.told()
    turned_out(rollout, challenger=450, champion=350)
    following, state, why = compare()
    assert (following, state) == ("wait", "challenger")
    assert why.startswith("r-2 is right for 20.00 more of 100 entities than r-1 (")
    assert answering() == {"r-1": 50.0, "r-2": 50.0}
    assert [why in message for message in rollout.told()] == [True]
    assert compare() == ("wait", "challenger", f"holds at 50 %: {why}")
    assert rollout.told() == []


def test_a_worse_challenger_gives_its_share_back_and_the_release_is_what_it_was(rollout):
    compare()
    turned_out(rollout, challenger=350, champion=450)
    following, state, why = compare()
    assert (following, state) == ("end", "stopped")
    assert (answering(), state_of(rollout)) == ({"r-1": 100.0}, "waiting")
    record = recorded(rollout)
    assert (record["status"], record["state"], record["why"]) == ("SUCCEEDED", "stopped", why)
    assert (record["entities"], record["difference"][1]) == (1_000, pytest.approx(-0.2))
    assert compare() == (following, state, why)


def test_a_challenger_that_fails_goes_back_with_the_evidence(rollout):
    compare()
    numbers = {"canary_rows": 50, "champion_rows": 50, "canary_entities": 50, "champion_entities": 50}
    count(rollout, 0.5, rollout=TRIAL, **numbers, canary_error=40, canary_fallback=40)
    assert compare()[:2] == ("end", "rolled back")
    assert (answering(), state_of(rollout)) == ({"r-1": 100.0}, "rolled back")


def test_an_experiment_does_not_begin_beside_a_rollout_nor_with_the_champion(rollout):
    look("r-3", 2)
    assert compare() == ("end", "aborted", "another rollout or experiment began meanwhile")
    assert (answering(), state_of(rollout)) == ({"r-1": 95.0, "r-3": 5.0}, "waiting")
    look("r-3", 2, failed="over")
    assert compare("r-1", 3) == ("end", "aborted", "there is nobody to be compared with")


@pytest.mark.parametrize("shares", [(), (0.05, 0.5)])
def test_a_release_that_is_approved_meanwhile_waits_for_the_experiment_and_then_goes_on(rollout, monkeypatch, shares):
    monkeypatch.setattr(module, "PLAN", replace(PLAN, shares=shares))
    compare()
    assert look("r-3", 2) == ("wait", "queued", "waits for r-2")
    turned_out(rollout, challenger=350, champion=450)
    assert compare()[:2] == ("end", "stopped")
    assert look("r-3", 2)[0] == ("wait" if shares else "promote")
    assert turns(rollout).get("waiting") is None


def promoted_by_hand(aws, *, routed: bool) -> None:
    why = {"state": "champion", "share": 1.0, "why": "promoted by hand", "routed": routed}
    aws.put(stage.ROUTING, **{**turns(aws), "current": {**turns(aws)["current"], **why}})


@pytest.mark.parametrize("killed", [True, False])
def test_a_person_who_promotes_the_challenger_is_followed_by_the_flow(rollout, killed):
    compare()
    promoted_by_hand(rollout, routed=not killed)
    if not killed:
        rollout.route(release="r-2")
    assert compare() == ("promote", "champion", "promoted by hand")


def test_a_challenger_that_was_promoted_and_taken_back_by_hand_is_not_promoted_again(rollout):
    compare()
    promoted_by_hand(rollout, routed=True)
    rollout.route()
    assert compare() == ("end", "champion", "r-2 was champion, and is not any more")


def test_an_experiment_whose_flow_is_lost_is_taken_back_by_the_next_release(rollout):
    compare()
    long_ago = iso(datetime.now(UTC) - timedelta(hours=30))
    current = {**turns(rollout)["current"], "looked_at": long_ago}
    rollout.put(stage.ROUTING, **{**turns(rollout), "current": current})
    assert look("r-3", 2)[:2] == ("wait", "canary")
    assert (state_of(rollout), recorded(rollout)["state"]) == ("waiting", "aborted")


# ---- a threshold as challenger


@pytest.fixture
def itself(rollout):
    """The champion's own item, which an experiment of a threshold leaves as it is."""
    rollout.put(stage.ROUTING, item="release#r-1", release="r-1", state="champion")
    return rollout


AT_ITS_OWN = {**EXPERIMENT, "before": "champion", "threshold": 0.4, "against": 0.5}
ITSELF = f"experiment#{asked('r-1')['rollout']}"


def test_the_champion_is_compared_with_itself_and_stays_champion_whatever_is_found(itself):
    assert look("r-1", experiment=AT_ITS_OWN) == ("wait", "challenger", "compared with r-1 at 0.5 by correct")
    assert {one.threshold for one in answerers(read_routing(stage.ROUTING))} == {None, 0.4}
    failing = {"canary_rows": 50, "champion_rows": 50, "canary_entities": 50, "champion_entities": 50}
    count(itself, 0.5, rollout=ITSELF, **failing, canary_error=40, canary_fallback=40)
    assert look("r-1", experiment=AT_ITS_OWN)[:2] == ("end", "rolled back")
    item = itself.item(stage.ROUTING, item="release#r-1")
    assert (item["state"], "failure" in item, answering()) == ("champion", False, {"r-1": 100.0})
    assert itself.told()[-1].endswith("r-1 at 0.5 decides everything.")


def test_a_flow_that_fails_lets_the_champion_decide_as_before(itself):
    look("r-1", experiment=AT_ITS_OWN)
    assert look("r-1", experiment=AT_ITS_OWN, failed="Lambda: over")[:2] == ("end", "aborted")
    assert {one.threshold for one in answerers(read_routing(stage.ROUTING))} == {None}
    assert state_of(itself, "r-1") == "champion"


def test_a_threshold_is_not_compared_once_another_release_is_champion(itself):
    itself.route(release="r-2")
    assert look("r-1", experiment=AT_ITS_OWN) == ("end", "aborted", "it is not champion any more")
    assert state_of(itself, "r-1") == "champion"  # as it was: nothing of it was written


# ---- while the budget is spent


@pytest.fixture
def spent(rollout):
    """The guard has dropped challengers this month."""
    now = iso(datetime.now(UTC))
    done = spending.after(spending.NOTHING, [spending.STOP_CHALLENGERS], spent_usd=90.0, budget_usd=100.0, now=now)
    rollout.put(stage.ROUTING, **done, item="guard")
    rollout.put(stage.ROUTING, item="release#r-2", release="r-2", state="waiting")
    return rollout


def test_a_release_does_not_begin_its_rollout_again_after_the_guard_dropped_challengers(spent):
    following, state, why = look()
    assert (following, state, answering()) == ("end", "aborted", {"r-1": 100.0})
    assert why.startswith("only the champion answers until ") and "`fairway resume` lets another begin before" in why
    item = spent.item(stage.ROUTING, item="release#r-2")
    assert (item["state"], item["failure"]) == ("aborted", why)
    assert [why in message and "`fairway promote r-2` begins again" in message for message in spent.told()] == [True]
    spent.put(stage.ROUTING, **{**spent.item(stage.ROUTING, item="guard"), "undone": [spending.STOP_CHALLENGERS]})
    assert look(minute=2)[:2] == ("wait", "canary")


def test_no_experiment_begins_either_and_its_release_is_what_it_was(spent):
    following, state, why = compare()
    assert (following, state) == ("end", "aborted") and why.startswith("only the champion answers until ")
    assert (answering(), state_of(spent)) == ({"r-1": 100.0}, "waiting")


def test_one_that_waited_in_line_no_longer_does(spent):
    spent.put(stage.ROUTING, item="guard", month="", actions=[])
    look("r-3", 2)
    assert look("r-2", 3)[1] == "queued"
    now = iso(datetime.now(UTC))
    done = spending.after(spending.NOTHING, [spending.STOP_CHALLENGERS], spent_usd=90.0, budget_usd=100.0, now=now)
    spent.put(stage.ROUTING, **done, item="guard")
    assert look("r-2", 3)[:2] == ("end", "aborted")
    assert turns(spent).get("waiting") is None
