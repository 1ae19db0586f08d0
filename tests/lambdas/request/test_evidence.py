"""Answers of a rollout and their outcomes become evidence, each once, whatever is delivered how often."""

import json
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.records import to_item
from domain.release.counts import Counts, from_items
from domain.release.evidence import loss_terms
from domain.release.shadow import EVEN
from lambdas.request import capture
from lambdas.request.outcomes import handler as outcomes
from tests.lambdas import stage
from tests.lambdas.http_api import call
from tests.lambdas.request.test_capture import PREDICTION, captured, record

ROLLOUT, SHARE = "r-2/20130401", 0.05
CHAMPION = {"release": "r-1", "role": "champion", "arm": "champion", "rollout": ROLLOUT, "share": SHARE}
CANARY = {"release": "r-2", "role": "canary", "arm": "canary", "rollout": ROLLOUT, "share": SHARE}
FALLBACK = {"source": "fallback", "cause": "MODEL_ERROR", "reason": "model error 500"}
LARGEST = 65.0  # between 40 and -25 dollars, as stage.CONFIG has them


@pytest.fixture
def rollout(aws, model):
    """Have a canary answer 5 % beside the champion; a model that gives every row 0.9."""
    begin(aws, ROLLOUT)
    model.scores(lambda instance: 0.9)
    return model


def begin(aws, name: str) -> None:
    champion = {"release": "r-1", "endpoint": f"{stage.PREFIX}r-1", "since": "2013-04-01T00:00:00Z"}
    claim = {
        "rollout": name,
        "arm": "canary",
        "role": "canary",
        "release": "r-2",
        "endpoint": f"{stage.PREFIX}r-2",
        "start": 0.0,
        "end": SHARE,
        "since": "2013-04-01T00:00:00Z",
    }
    aws.routing(champion=champion, claims=[claim])


def deliver(*records: dict) -> None:
    capture.handler({"Records": list(records)}, None)


def counts(aws) -> list[Counts]:
    return from_items(each for each in aws.items(stage.EVIDENCE) if each["rollout"] == ROLLOUT)


def test_an_answer_counts_for_its_side_and_its_row_is_scored_by_the_other_release(aws, rollout):
    deliver(record(1, **CHAMPION), record(2, **CANARY, entity_id="flight 2"))
    assert counts(aws) == [
        Counts(SHARE, canary_rows=1, champion_rows=1, canary_entities=1, champion_entities=1, paired=2)
    ]
    assert sorted(endpoint for endpoint, _ in rollout.calls) == [f"{stage.PREFIX}r-1", f"{stage.PREFIX}r-2"]
    ((champion, canary),) = captured(aws).values()
    assert {name: champion[name] for name in champion if name.startswith("other")} == {
        "other_release": "r-2",
        "other_prediction": "true",
        "other_probability": 0.9,
        "other_ms": pytest.approx(50, abs=50_000),
    }
    assert canary["other_release"] == "r-1"


def test_an_answer_without_a_rollout_is_captured_and_counts_for_nothing(aws, rollout):
    deliver(record(1))
    assert (aws.items(stage.EVIDENCE), rollout.calls) == ([], [])


def test_an_entity_counts_once_and_its_first_failure_of_each_kind(aws, rollout):
    late = {"source": "fallback", "cause": "LATE", "reason": "deadline of 1500 ms passed"}
    deliver(record(1, **CANARY), record(2, **CANARY, **FALLBACK), record(3, **CANARY, **FALLBACK))
    deliver(record(4, **CANARY, **FALLBACK), record(5, **CANARY, **late), record(6, **CANARY, entity_id="flight 6"))
    assert counts(aws) == [
        Counts(SHARE, canary_rows=6, canary_entities=2, canary_error=1, canary_fallback=1, canary_slow=1, paired=2)
    ]


@pytest.mark.parametrize(("cause", "reason"), [("LATE", "deadline of 1500 ms passed"), ("THROTTLED", "throttled")])
def test_an_endpoint_that_hangs_is_slow_though_the_function_answered_in_its_stead(aws, rollout, cause, reason):
    deliver(record(1, **CANARY, source="function", cause=cause, instead_of=reason))
    assert counts(aws) == [Counts(SHARE, canary_rows=1, canary_entities=1, canary_slow=1, paired=1)]


def test_what_is_planned_is_no_failure(aws, rollout):
    deliver(record(1, **CHAMPION, source="fallback", cause="WAKING", reason="asleep, waking"))
    assert counts(aws) == [Counts(SHARE, champion_rows=1, champion_entities=1)]


def test_each_share_has_counts_of_its_own_and_an_entity_appears_in_the_first(aws, rollout):
    deliver(record(1, **CANARY))
    deliver(record(2, **{**CANARY, "share": 0.25}), record(3, **{**CANARY, "share": 0.25}, entity_id="flight 3"))
    assert counts(aws) == [
        Counts(0.05, canary_rows=1, canary_entities=1, paired=1),
        Counts(0.25, canary_rows=2, canary_entities=1, paired=2),
    ]


FAILING = {
    "an error": lambda model: model.fails(500, "ModelError"),
    "no number": lambda model: model.says([None]),
    "no rows": lambda model: model.says([]),
}


@pytest.mark.parametrize("fail", FAILING.values(), ids=list(FAILING))
def test_a_pair_that_fails_is_nobodys_failure_and_keeps_its_reason(aws, rollout, fail):
    fail(rollout)
    deliver(record(1, **CHAMPION))
    assert counts(aws) == [Counts(SHARE, champion_rows=1, champion_entities=1)]
    ((row,),) = captured(aws).values()
    assert row["other_release"] == "r-2" and row["other_reason"] and "other_prediction" not in row


def test_a_rollout_that_is_over_asks_nobody_and_still_counts(aws, rollout):
    aws.routing(champion={"release": "r-1", "endpoint": "e", "since": "2013-04-01T00:00:00Z"}, claims=[])
    deliver(record(1, **CANARY))
    assert counts(aws) == [Counts(SHARE, canary_rows=1, canary_entities=1)]
    assert rollout.calls == []


def test_a_routing_that_is_damaged_costs_the_pair_alone(aws, rollout):
    aws.put(stage.ROUTING, item="routing", version=1, claims="none")
    deliver(record(1, **CHAMPION))
    assert counts(aws) == [Counts(SHARE, champion_rows=1, champion_entities=1)]


def test_more_answers_than_a_transaction_takes_are_counted(aws, rollout):
    deliver(*(record(n, **CANARY, entity_id=f"flight {n}") for n in range(130)))
    assert counts(aws) == [Counts(SHARE, canary_rows=130, canary_entities=130, paired=130)]


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(spans=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 10)), min_size=1, max_size=6))
def test_however_often_a_stream_repeats_itself_each_answer_counts_once(aws, rollout, spans):
    begin(aws, name := uuid4().hex)  # the table is the same for every example
    of_rollout = {**CANARY, "rollout": name}
    records = [
        record(n, **of_rollout, **(FALLBACK if n % 3 == 0 else {}), entity_id=f"flight {n // 2}") for n in range(10)
    ]
    for start, length in spans:
        deliver(*records[start : start + length])
    seen = {n for start, length in spans for n in range(start, min(start + length, 10))}
    (found,) = from_items(each for each in aws.items(stage.EVIDENCE) if each["rollout"] == name)
    assert found == Counts(
        SHARE,
        canary_rows=len(seen),
        canary_entities=len({n // 2 for n in seen}),
        canary_error=len({n // 2 for n in seen if n % 3 == 0}),
        canary_fallback=len({n // 2 for n in seen if n % 3 == 0}),
        paired=len([n for n in seen if n % 3]),
    )


# ---- a shadow

SHADOW = f"{ROLLOUT}/shadow"
ASKED = {"release": "r-1", "role": "champion", "arm": "champion", "rollout": SHADOW, "share": EVEN}


@pytest.fixture
def shadow(aws, model):
    """Have a shadow, r-2, asked about the champion's rows; a model that gives every row 0.9."""
    champion = {"release": "r-1", "endpoint": f"{stage.PREFIX}r-1", "since": "2013-04-01T00:00:00Z"}
    names = {"rollout": SHADOW, "release": "r-2", "endpoint": f"{stage.PREFIX}r-2"}
    aws.routing(champion=champion, shadow={**names, "share": 0.5, "since": "2013-04-01T00:00:00Z"})
    model.scores(lambda instance: 0.9)
    return model


def counts_of_shadow(aws) -> Counts:
    (found,) = from_items(each for each in aws.items(stage.EVIDENCE) if each["rollout"] == SHADOW)
    return found


def test_a_shadow_is_asked_about_the_champions_row_and_counts_on_both_sides(aws, shadow):
    deliver(record(1, **ASKED), record(2, **ASKED, entity_id="flight 2"), record(3))
    assert [(endpoint, len(rows)) for endpoint, rows in shadow.calls] == [(f"{stage.PREFIX}r-2", 2)]
    assert counts_of_shadow(aws) == Counts(
        EVEN, canary_rows=2, champion_rows=2, canary_entities=2, champion_entities=2, paired=2
    )


@pytest.mark.parametrize("fail", FAILING.values(), ids=list(FAILING))
def test_a_shadow_that_fails_is_the_shadows_failure_and_no_answers(aws, shadow, fail):
    fail(shadow)
    deliver(record(1, **ASKED))
    assert counts_of_shadow(aws) == Counts(
        EVEN,
        canary_rows=1,
        champion_rows=1,
        canary_entities=1,
        champion_entities=1,
        canary_error=1,
        canary_fallback=1,
    )
    ((row,),) = captured(aws).values()
    assert (row["source"], row["other_release"], "other_prediction" in row) == ("model", "r-2", False)
    assert row["other_cause"] and row["other_reason"]


def test_one_call_that_fails_is_one_fault_however_many_rows_it_asked_about(aws, shadow):
    shadow.fails(500, "ModelError")
    deliver(*(record(n, **ASKED, entity_id=f"flight {n}") for n in range(12)))
    found = counts_of_shadow(aws)
    assert (len(shadow.calls), found.canary_rows, found.canary_error, found.champion_error) == (1, 12, 1, 0)


def test_a_row_that_got_the_fallback_is_asked_about_too_so_that_an_outage_is_on_both_sides(aws, shadow):
    shadow.fails(500, "ModelError")
    deliver(record(1, **ASKED, **FALLBACK))
    found = counts_of_shadow(aws)
    assert (found.canary_error, found.champion_error, found.paired) == (1, 1, 0)


def test_while_endpoints_are_down_on_purpose_no_shadow_is_asked(aws, shadow):
    deliver(record(1, **ASKED, source="fallback", cause="OUTSIDE_HOURS", reason="outside office hours"))
    assert (shadow.calls, aws.items(stage.EVIDENCE)) == ([], [])


def test_a_shadow_that_has_ended_is_not_asked_about_rows_that_come_late(aws, shadow):
    aws.route()
    deliver(record(1, **ASKED))
    assert (shadow.calls, aws.items(stage.EVIDENCE)) == ([], [])
    assert len(captured(aws)) == 1


@pytest.mark.parametrize("times", [1, 3])
def test_the_outcome_of_a_row_of_the_shadow_counts_once(aws, shadow, times):
    answered(aws, **ASKED, prediction=False)
    for _ in range(times):
        report(1, True)
        deliver(record(1, **ASKED, prediction=False))
    found = counts_of_shadow(aws)
    assert (found.canary_rows, found.paired, found.disagreements, found.canary_right) == (1, 1, 1, 1)


# ---- outcomes


def answered(aws, number: int = 1, **values) -> None:
    """Store an answer, and have it captured."""
    answer = {**PREDICTION, "id": f"p-{number}", **values}
    aws.put(stage.PREDICTIONS, **answer)
    deliver(record(number, **values))


def report(number: int, outcome: bool) -> dict:
    status, reply = call(outcomes, "POST /outcomes", {"prediction_id": f"p-{number}", "outcome": outcome})
    assert status == 200
    return reply


def disagreement(*, canary: bool, outcome: bool) -> Counts:
    """What one row on which only the canary said `canary` adds."""
    gain = {(True, True): 65.0, (False, True): -65.0, (True, False): -12.0, (False, False): 12.0}[canary, outcome]
    return Counts(SHARE, disagreements=1, canary_right=int(canary == outcome), losses=loss_terms(gain, LARGEST))


def from_outcomes(aws) -> Counts:
    (found,) = counts(aws)
    return Counts(SHARE, disagreements=found.disagreements, canary_right=found.canary_right, losses=found.losses)


@pytest.mark.parametrize("outcome", [True, False])
@pytest.mark.parametrize("side", [CHAMPION, CANARY], ids=["champion", "canary"])
def test_an_outcome_of_a_row_on_which_both_differ_counts_once(aws, rollout, side, outcome):
    answered(aws, **side, prediction=False)
    canary = side is CHAMPION  # which the other release said of the row
    for _ in range(3):
        report(1, outcome)
    assert from_outcomes(aws) == disagreement(canary=canary, outcome=outcome)


def test_a_row_on_which_both_agree_says_nothing(aws, rollout):
    answered(aws, **CHAMPION, prediction=True)
    report(1, False)
    assert from_outcomes(aws) == Counts(SHARE)


def test_a_corrected_outcome_takes_the_place_of_the_first_in_the_sums_too(aws, rollout):
    answered(aws, **CHAMPION, prediction=False)
    for outcome in (True, False, False, True, False):
        report(1, outcome)
    found, expected = from_outcomes(aws), disagreement(canary=True, outcome=False)
    assert (found.disagreements, found.canary_right) == (expected.disagreements, expected.canary_right)
    assert found.losses == pytest.approx(expected.losses)


def test_an_outcome_without_a_pair_is_stored_and_counts_for_no_rollout(aws, rollout):
    aws.put(stage.PREDICTIONS, **{**PREDICTION, **CHAMPION})
    assert report(1, True) == {"accepted": 1, "joined": 1, "unmatched": 0}
    of_windows = [item["rollout"] for item in aws.items(stage.EVIDENCE)]
    assert (len(aws.items(stage.OUTCOMES)), of_windows) == (1, ["outcomes#r-1"])


def test_the_two_sides_are_not_swapped(aws, rollout):
    """A canary that is right where the champion is wrong, on rows of both sides, is right in all of them."""
    answered(aws, 1, **CHAMPION, prediction=False, event_time="2013-04-01T10:00:00Z")
    rollout.scores(lambda instance: 0.1)
    answered(aws, 2, **CANARY, prediction=True, event_time="2013-04-01T11:00:00Z")
    report(1, True)
    report(2, True)
    found = from_outcomes(aws)
    assert (found.disagreements, found.canary_right) == (2, 2)


def test_a_pair_is_kept_for_as_long_as_its_answer(aws, rollout):
    deliver(record(1, **CANARY))
    (answer,) = [each for each in aws.items(stage.EVIDENCE) if each["item"].startswith("answer#")]
    assert answer == {"rollout": ROLLOUT, "item": "answer#p-1", "other": "true", "expires_at": PREDICTION["expires_at"]}
    assert json.loads(answer["other"]) is True and to_item(answer)["expires_at"] == {"N": "4000000000"}


# ---- outcomes of an experiment

TRIAL = "experiment#r-2/20130401"
OF_TRIAL = {"rollout": TRIAL, "share": 0.5}
CHALLENGER = {"release": "r-2", "role": "challenger", "arm": "challenger", **OF_TRIAL}


def asked(aws, number: int, entity: str, prediction: bool, arm=CHALLENGER) -> None:
    """Store an answer at an hour of its own, without having it captured."""
    at = f"2013-04-01T{number:02d}:00:00Z"
    aws.put(
        stage.PREDICTIONS,
        **{**PREDICTION, **arm, "id": f"p-{number}", "entity_id": entity, "prediction": prediction, "event_time": at},
    )


def cells(aws) -> dict[str, int]:
    """What was counted of the experiment's entities."""
    items = [each for each in aws.items(stage.EVIDENCE) if each["item"].startswith("share#")]
    assert all(each["rollout"] == TRIAL for each in items)
    names = ("rollout", "item")
    return {name: number for each in items for name, number in each.items() if name not in names and number}


@pytest.mark.parametrize(
    ("prediction", "outcome", "cell"),
    [
        (True, True, "true_positive"),
        (True, False, "false_positive"),
        (False, False, "true_negative"),
        (False, True, "false_negative"),
    ],
)
def test_an_outcome_of_an_experiment_counts_for_its_arm_once_however_often_it_is_sent(aws, prediction, outcome, cell):
    asked(aws, 1, "flight 1", prediction)
    asked(aws, 2, "flight 2", prediction, arm={**CHAMPION, **OF_TRIAL})
    for number in (1, 2, 1, 2, 2):
        report(number, outcome)
    assert cells(aws) == {f"canary_{cell}": 1, f"champion_{cell}": 1}


def test_the_value_of_an_entity_rests_on_the_first_of_its_answers_with_an_outcome(aws):
    for number in (1, 2, 3):
        asked(aws, number, "flight 1", True)
    for number, outcome in ((2, True), (1, False), (3, False)):
        report(number, outcome)
    assert cells(aws) == {"canary_true_positive": 1}


def test_a_corrected_outcome_moves_its_entity_to_the_other_cell_and_a_later_answer_does_not(aws):
    asked(aws, 1, "flight 1", True)
    asked(aws, 2, "flight 1", True)
    report(1, True)
    report(2, True)
    report(2, False)
    assert cells(aws) == {"canary_true_positive": 1}
    report(1, False)
    assert cells(aws) == {"canary_false_positive": 1}


def test_an_outcome_that_a_later_answer_to_the_same_event_takes_over_is_not_lost(aws):
    asked(aws, 1, "flight 1", True)
    report(1, True)
    aws.put(
        stage.PREDICTIONS,
        **{**PREDICTION, **CHALLENGER, "id": "p-9", "prediction": False, "event_time": "2013-04-01T01:00:00Z"},
    )
    report(9, False)
    assert cells(aws) == {"canary_true_negative": 1}


def test_an_answer_counts_by_its_outcome_before_it_was_captured_and_the_fallbacks_too(aws):
    asked(aws, 1, "flight 1", False, arm={**CHALLENGER, **FALLBACK})
    report(1, True)
    assert cells(aws) == {"canary_false_negative": 1}


def test_what_names_an_entitys_answer_is_kept_for_as_long_as_the_answer(aws):
    asked(aws, 1, "flight 1", True)
    report(1, True)
    (guard,) = [each for each in aws.items(stage.EVIDENCE) if each["item"].startswith("seen#value#")]
    assert (guard["prediction_id"], guard["expires_at"]) == ("p-1", PREDICTION["expires_at"])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=12))
def test_in_whatever_order_outcomes_come_and_are_corrected_each_entity_has_one_value(aws, sent):
    trial = f"experiment#{uuid4().hex}"
    for number in range(1, 7):
        asked(aws, number, f"{trial} {number // 2}", True, arm={**CHALLENGER, "rollout": trial})
    last: dict[int, bool] = {}
    owner: dict[int, int] = {}
    for number, outcome in sent:
        report(number, outcome)
        last[number] = outcome
        owner.setdefault(number // 2, number)
    (found,) = from_items(each for each in aws.items(stage.EVIDENCE) if each["rollout"] == trial)
    values = [last[number] for number in owner.values()]
    assert (found.canary_true_positive, found.canary_false_positive) == (values.count(True), values.count(False))


def test_a_row_decided_by_another_threshold_is_paired_by_what_its_model_said_already(aws, rollout):
    routing = aws.item(stage.ROUTING, item="routing")
    (claim,) = routing["claims"]
    own = {"release": "r-1", "arm": "challenger", "role": "challenger", "threshold": 0.4}
    aws.routing(champion=routing["champion"], claims=[{**claim, **own}])
    said = {"probability": 0.45, "prediction": False}
    deliver(record(1, **CHAMPION, **said), record(2, **CANARY | own | said | {"prediction": True}))
    assert rollout.calls == []
    ((champion, challenger),) = captured(aws).values()
    assert (champion["other_prediction"], challenger["other_prediction"]) == ("true", "false")
    assert champion["other_probability"] == 0.45
    (found,) = counts(aws)
    assert (found.paired, found.champion_rows, found.canary_rows) == (2, 1, 1)
