import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money.prices import COLUMNS, PriceError, age_days, cost_usd, find, read_prices, read_rows, tiers_used

PRICES = read_prices("us-east-1")
ROW = dict(
    zip(
        COLUMNS,
        ("AmazonX", "USE1-Thing", "", "0", "a thing", "thing", "2", "us-east-1", "a bill", "2026-01-02", "high"),
        strict=True,
    )
)


def table(folder, *rows):
    file = folder / "prices.csv"
    with open(file, "w", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return file


def test_the_same_thing_has_the_same_name_in_every_region():
    there = read_prices("eu-west-1")
    for key in [
        ("AmazonSageMaker", "Host:ml.m5.large", ""),
        ("AWSLambda", "Lambda-GB-Second-ARM", ""),
        ("AmazonS3", "Requests-Tier1", ""),
    ]:
        assert find(PRICES, *key) and find(there, *key)
    assert find(PRICES, "awskms", "KMS-Keys").published == "us-east-1-KMS-Keys"


def test_a_region_without_a_price_has_none_rather_than_another_regions():
    assert find(read_prices("eu-west-1"), "AmazonStates", "StateTransition") is None
    assert find(read_prices("ap-south-1"), "AWSLambda", "Request") is None


def test_what_is_sold_everywhere_at_one_price_is_found_in_every_region():
    assert find(read_prices("ap-south-1"), "AWSBudgets", "ActionEnabledBudgetsUsage")


def test_operations_of_one_usage_type_are_told_apart():
    assert find(PRICES, "AmazonS3", "Requests-Tier4", "S3-GIRTransition").tiers[0].usd == 0.00002
    assert find(PRICES, "AmazonS3", "Requests-Tier4", "S3-SIATransition").tiers[0].usd == 0.00001
    assert find(PRICES, "AmazonS3", "Requests-Tier4") is None


def test_each_part_of_a_quantity_costs_what_its_tier_costs():
    http = find(PRICES, "AmazonApiGateway", "ApiGatewayHttpRequest")
    assert cost_usd(http, 400_000_000) == pytest.approx(300_000_000 * 0.000001 + 100_000_000 * 0.0000009)  # 390 USD
    assert [tier.dated for tier in tiers_used(http, 1_000)] == ["2026-08-11"]
    assert [tier.dated for tier in tiers_used(http, 400_000_000)] == ["2026-08-11", "2025-10-31"]


@given(price=st.sampled_from(list(PRICES.values())), quantity=st.floats(0, 1e12), more=st.floats(0, 1e9))
def test_a_cost_is_never_negative_never_falls_and_never_jumps(price, quantity, more):
    dearest = max(tier.usd for tier in price.tiers)
    step = cost_usd(price, quantity + more) - cost_usd(price, quantity)
    assert cost_usd(price, 0) == 0 <= cost_usd(price, quantity)
    assert (
        -1e-6 * max(1, cost_usd(price, quantity)) <= step <= dearest * more + 1e-6 * max(1, cost_usd(price, quantity))
    )


def test_a_date_that_is_not_one_is_no_date(tmp_path):
    undated = read_prices("us-east-1", table(tmp_path, {**ROW, "source_date": "unsourced"}))
    assert find(undated, "AmazonX", "Thing").tiers[0].dated == ""
    assert age_days("2026-01-02", "2026-02-02") == 31


def test_every_row_that_cannot_be_used_is_named_at_once(tmp_path):
    broken = [
        {**ROW, "usd_per_unit": "-1"},
        {**ROW, "usage_type": "USE1-Other", "from_quantity": "5"},
        {**ROW, "confidence": "sure"},
    ]
    with pytest.raises(PriceError) as error:
        read_rows(table(tmp_path, *broken))
    assert error.value.problems == [
        "line 2: usd_per_unit = '-1': must be a number, 0 or more",
        "line 4: confidence = 'sure': must be one of high, medium, low",
        "us-east-1 AmazonX Thing: tiers from 0, 0: must include 0, and each tier once",
        "us-east-1 AmazonX Other: tiers from 5: must include 0, and each tier once",
    ]


def test_a_table_of_other_columns_is_refused(tmp_path):
    file = tmp_path / "prices.csv"
    file.write_text("service,price\n")
    with pytest.raises(PriceError, match="columns = .*must be service, usage_type"):
        read_rows(file)
