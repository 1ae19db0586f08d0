import pytest

from domain.money.hosting import (
    Measured,
    Option,
    break_even,
    compare,
    machines_by_hour,
    monthly_usd,
    options,
    refusals,
    savings_plan,
)
from domain.money.prices import Price, Tier
from tests.domain.money.scenario import PRICES, month, requests

MODEL = Measured(scoring_ms=100.0, p99_ms=8.0, memory_mb=300.0, size_mb=5.0)
BY_NAME = {option.name: option for option in options(PRICES)}
NO_DATA = {"request_kb": 0.001, "reply_kb": 0.001}
MILLION = month({**requests(1_000_000), **NO_DATA, "predict_ms": 200.0})


@pytest.mark.parametrize(
    ("name", "usd"),
    [
        ("function 512 MB", 100_000 * (1769 - 512) / 1024 * 0.0000133334),  # 1.64: with 29 % of a processor
        ("serverless 2048 MB", 100_000 * 0.00004),  # 4.00
        ("ml.m5.large", 730 * 0.115),  # 83.95
    ],
)
def test_a_million_requests_of_a_tenth_of_a_second_cost(name, usd):
    assert monthly_usd(BY_NAME[name], MILLION, MODEL, PRICES) == pytest.approx(usd, abs=0.001)


def test_a_function_is_cheaper_than_the_smallest_machine_until_that_is_busy_enough():
    machine = BY_NAME["ml.t2.medium"]
    crossing = break_even(BY_NAME["function 512 MB"], machine, MILLION, MODEL, PRICES)
    # 0.1 s x (1769 - 512)/1024 GB x 0.0000133334 a request; the data through the machine's endpoint is a little of it
    assert crossing == {
        "below": "function 512 MB",
        "above": "ml.t2.medium",
        "requests": pytest.approx(monthly_usd(machine, MILLION, MODEL, PRICES) / 1.63673e-6, rel=0.02),
    }


def test_break_even_with_serverless_counts_its_seconds_only_since_both_pay_for_the_data():
    crossing = break_even(BY_NAME["serverless 2048 MB"], BY_NAME["ml.m5.large"], MILLION, MODEL, PRICES)
    # One m5.large scores 2 x 10 x 60 % = 12 requests a second; 83.95 / 0.000004 = 20.99 million are 8 a second: one is
    # enough. (At 12 a second a second machine comes, and serverless is the cheaper one again for a while: the first
    # crossing counts.)
    assert crossing["requests"] == pytest.approx(20_987_500, rel=0.001)


def test_there_is_no_break_even_with_what_is_never_cheaper():
    slow = Measured(scoring_ms=30_000.0, p99_ms=8.0, memory_mb=300.0, size_mb=5.0)
    assert break_even(BY_NAME["function 512 MB"], BY_NAME["ml.g5.xlarge"], MILLION, slow, PRICES)["requests"] is None
    assert break_even(BY_NAME["function 512 MB"], None, MILLION, MODEL, PRICES) is None


def test_machines_follow_the_traffic_of_the_week_and_burstable_ones_do_not():
    usage = month(
        {"requests_per_second": 5.0, "hours": {"mon 09-17": 30.0}, "predict_ms": 200.0}, serving={"instances": 1}
    )
    scaled = machines_by_hour(BY_NAME["ml.m5.large"], usage, MODEL)  # 12 requests a second each
    assert (scaled.count(3), scaled.count(1)) == (8, 160)
    assert set(machines_by_hour(BY_NAME["ml.t2.medium"], usage, MODEL)) == {3}


def test_the_cheapest_that_keeps_the_benchmarks_is_named():
    found = compare(MILLION, MODEL, PRICES)
    assert found["cheapest"] == "function 512 MB"
    assert [row["monthly_usd"] for row in found["options"]] == sorted(row["monthly_usd"] for row in found["options"])
    heavy = Measured(scoring_ms=100.0, p99_ms=8.0, memory_mb=6000.0, size_mb=5.0)
    assert compare(MILLION, heavy, PRICES)["cheapest"] == "ml.m5.large"


def test_what_may_not_be_used_says_why():
    usage = month({**requests(10**9)}, benchmarks={"p99_ms": 5.0, "size_mb": 4.0}, serving={"max_concurrency": 10})
    assert refusals(Option("serverless", "serverless 1024 MB", 1024), usage, Measured(100.0, 8.0, 700.0, 5.0)) == [
        "p99 8 ms, at most 5 ms was agreed",
        "5 MB, at most 4 MB was agreed",
        "needs 1212 MB of memory, has 1024 MB",
        "38 requests at once, serving.max_concurrency is 10",
    ]


def test_where_nothing_may_be_used_nothing_is_recommended():
    slow = Measured(scoring_ms=100.0, p99_ms=1000.0, memory_mb=300.0, size_mb=5.0)
    found = compare(MILLION, slow, PRICES)
    assert (found["cheapest"], found["break_even"]) == (None, [])


def test_the_plot_has_a_point_for_each_option_at_each_round_number():
    points = compare(MILLION, MODEL, PRICES)["curve"]
    assert [point["requests"] for point in points][0::4] == [1e4, 1e5, 1e6, 1e7, 1e8, 1e9]
    assert points[8]["serverless 1024 MB"] == pytest.approx(100_000 * 0.00002, abs=0.001)


def test_a_savings_plan_is_for_machines_around_the_clock_only():
    assert savings_plan(BY_NAME["ml.m5.large"], MILLION, MODEL, PRICES).startswith("No Savings Plan")
    always = month(requests(1_000_000), serving={"mode": "instance", "instances": 2})
    assert savings_plan(BY_NAME["ml.m5.large"], always, MODEL, PRICES) == (
        "2 x ml.m5.large run around the clock (1460 hours a month); a Savings Plan could cover "
        "them, but the price table has no rate for it."
    )
    rate = Price(
        "USE1-Host:ml.m5.large",
        "SageMakerSavingsPlans",
        "Host:ml.m5.large",
        "",
        "hour",
        (Tier(0, 0.092, "2026-11-01", "high"),),
    )
    known = {**PRICES, ("SageMakerSavingsPlans", "Host:ml.m5.large", ""): rate}
    assert savings_plan(BY_NAME["ml.m5.large"], always, MODEL, known) == (
        "2 x ml.m5.large run around the clock (1460 hours a month); committing to $0.184 an hour saves 20% of them."
    )


def test_the_image_that_trains_runs_on_no_arm_machine():
    for name in ("ml.c7g.large", "ml.m6g.large"):
        assert refusals(BY_NAME[name], MILLION, MODEL) == [
            "an Arm instance, but training needs x86 and there is one image for both"
        ]
    assert not any(
        "Arm" in why for name in ("ml.g5.xlarge", "ml.g4dn.xlarge") for why in refusals(BY_NAME[name], MILLION, MODEL)
    )


def test_office_hours_make_a_machine_cheaper_and_a_savings_plan_vain():
    office = month(
        {**requests(1_000_000), **NO_DATA},
        serving={"mode": "instance", "office_hours": "mon-fri 07:00-19:00", "wake_minutes": 0},
    )
    assert monthly_usd(BY_NAME["ml.m5.large"], office, MODEL, PRICES) == pytest.approx(83.95 * 60 / 168, rel=0.01)
    assert savings_plan(BY_NAME["ml.m5.large"], office, MODEL, PRICES) == (
        "No Savings Plan: instances run only in the office hours, and a plan is paid for around the clock."
    )
