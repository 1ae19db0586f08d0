"""What a change upstream costs: counted row by row here, block by block there."""

import pyarrow as pa
import pytest

from domain.config.sections import Business
from model_code.artefact.folder import open_artefact
from model_code.rows.tables import check_block
from model_code.upstream.changes import CHANGES
from model_code.upstream.cost import Replay, Scenario

BY_NAME = {change.name: change for change in CHANGES}
WORTH = Business(true_positive_usd=40, false_positive_usd=-12, true_negative_usd=0, false_negative_usd=-25)


def replayed(project, scenarios: list[Scenario], *, blocks: int = 1, candidate="gradient_boosting") -> Replay:
    artefact = open_artefact(project.models[candidate])
    replay = Replay(artefact, project.contract, scenarios, business=WORTH, threshold=0.5)
    rows = check_block(project.contract, project.rows, with_target=True).accepted
    for number in range(blocks):
        first, end = len(rows) * number // blocks, len(rows) * (number + 1) // blocks
        replay.add(rows.slice(first, end - first))
    return replay


def scenario(name: str, *columns: str) -> Scenario:
    return Scenario(columns, BY_NAME[name])


def test_a_missing_column_costs_what_its_rows_cost_one_by_one(returns):
    replay = replayed(returns, [scenario("missing", "größe (cm)")], blocks=3)
    (cost,) = replay.costs
    artefact = open_artefact(returns.models["gradient_boosting"])
    flipped = right = value = 0
    worth = {(True, True): 40, (True, False): -12, (False, True): -25, (False, False): 0}
    for row in returns.rows:
        instance = {column.name: row.get(column.name) for column in returns.contract.features}
        instance["shelf"] = str(instance["shelf"])
        instance["paid at"] = None if instance["paid at"] is None else seconds(instance["paid at"])
        actual = row["came back?"] == "yes"
        before, after = (
            score[-1] >= 0.5 for score in artefact.scorer.score_lists([instance, {**instance, "größe (cm)": None}])
        )
        flipped += before != after
        right += (after == actual) - (before == actual)
        value += worth[bool(after), actual] - worth[bool(before), actual]
    rows = len(returns.rows)
    assert (cost.rows, cost.refused, cost.flipped) == (rows, 0, flipped)
    assert (cost.per_row("right"), cost.per_row("value_usd")) == (
        pytest.approx(right / rows),
        pytest.approx(value / rows),
    )
    assert flipped > 0 and value < 0
    assert replay.noticed_by(cost) == "drift"


def seconds(text: str) -> float:
    return pa.scalar(text).cast(pa.timestamp("us", tz="UTC")).as_py().timestamp()


def test_rows_that_the_contract_refuses_are_answered_by_the_prior(returns):
    replay = replayed(returns, [scenario("missing", "class"), scenario("1,000 times as large", "shelf")])
    for cost in replay.costs:
        assert (cost.refused, replay.noticed_by(cost)) == (cost.rows, "contract")
    everybody_stays = sum(row["came back?"] == "no" for row in returns.rows)  # the prior of 0.4 says no
    assert replay.costs[0].after["right"] == everybody_stays
    assert replay.costs[0].after["value_usd"] == -25 * (len(returns.rows) - everybody_stays)


def test_a_column_that_no_tree_asks_for_costs_nothing(returns):
    (cost,) = replayed(returns, [scenario("of another row", "always empty")]).costs
    assert (cost.flipped, cost.shift, cost.per_row("right"), cost.per_row("value_usd")) == (0, 0.0, 0.0, 0.0)


def test_a_change_that_nobody_could_see_is_noticed_by_nothing(returns):
    replay = replayed(returns, [scenario("of another row", "größe (cm)"), scenario("1 % larger", "always empty")])
    assert [replay.noticed_by(cost) for cost in replay.costs] == ["nothing", "nothing"]


def test_blocks_add_up_to_the_whole(returns):
    scenarios = [scenario("missing", "größe (cm)"), scenario("in the other case", "class")]
    whole, parts = (replayed(returns, scenarios, blocks=blocks).costs for blocks in (1, 4))
    for one, other in zip(whole, parts, strict=True):
        assert (one.rows, one.refused, one.flipped, one.after) == (
            other.rows,
            other.refused,
            other.flipped,
            other.after,
        )
        assert one.shift == pytest.approx(other.shift)


def test_several_classes_and_numbers_have_measures_of_their_own(parcels, rents):
    (of_class,) = replayed(parcels, [scenario("of another row", "weight")]).costs
    assert of_class.per_row("right") < -0.1 and of_class.flipped > 0 and set(of_class.after) == {"right"}
    (of_number,) = replayed(rents, [scenario("of another row", "m²")]).costs
    assert of_number.per_row("error") > 50 and of_number.flipped == 0 and set(of_number.after) == {"error"}
