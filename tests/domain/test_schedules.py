import pytest

from domain.schedules import problem

RIGHT = [
    *("rate(1 day)", "rate(7 days)", "rate(15 minutes)", "cron(0 5 * * ? *)", "cron(0/15 8-17 ? * MON-FRI *)"),
    *("cron(0 6 ? * FRI-MON *)", "cron(0 0,12 1 JAN,JUL ? *)", "cron(0 0 L * ? *)", "cron(0 0 LW * ? *)"),
    *("cron(0 0 15W * ? *)", "cron(0 0 ? * 2#1 *)", "cron(0 0 ? * 6L 2026-2030)", "cron(*/5 * * * ? *)"),
    *("cron(0 0 L-3 * ? *)", "cron(0 0 ? * mon *)", "cron(59 23 31 12 ? 2199)"),
]
BOTH_DAYS = "must have ? as either day of the month or day of the week"
WRONG = {
    "weekly": "must be rate(7 days) or cron(minute hour day month weekday year)",
    "rate(1 week)": "must be rate(7 days) or cron(minute hour day month weekday year)",
    "rate(90 seconds)": "must be rate(7 days) or cron(minute hour day month weekday year)",
    "rate(0 days)": "must be a rate of at least 1",
    "cron(0 5 * * *)": "must have six fields, minute hour day month weekday year, not 5",
    "cron(0 5 * * * *)": BOTH_DAYS,
    "cron(0 5 1 * 2 *)": BOTH_DAYS,
    "cron(0 5 ? * ? *)": BOTH_DAYS,
    "cron(60 5 * * ? *)": "must have minute values of 0 to 59, not 60",
    "cron(0 24 * * ? *)": "must have hour values of 0 to 23, not 24",
    "cron(0 5 0 * ? *)": "must have day of the month values of 1 to 31, not 0",
    "cron(0 5 * 13 ? *)": "must have month values of 1 to 12, not 13",
    "cron(0 5 ? * 8 *)": "must have day of the week values of 1 to 7, not 8",
    "cron(0 5 ? * 2#6 *)": "must have day of the week values of 1 to 7, not 2#6",
    "cron(0 5 * * ? 1969)": "must have year values of 1970 to 2199, not 1969",
    "cron(0/0 5 * * ? *)": "must have minute values of 0 to 59, not 0/0",
    "cron(? 5 * * ? *)": "must have minute values of 0 to 59, not ?",
    "cron(0 5 ?,3 * ? *)": "must have day of the month values of 1 to 31, not ?,3",
    f"rate({'9' * 5000} days)": "must be rate(7 days) or cron(minute hour day month weekday year)",
}


@pytest.mark.parametrize("expression", RIGHT)
def test_a_schedule_that_aws_takes_has_no_problem(expression):
    assert problem(expression) is None


@pytest.mark.parametrize("expression", WRONG)
def test_a_schedule_that_aws_refuses_is_told_apart_by_its_reason(expression):
    assert problem(expression) == WRONG[expression]


@pytest.mark.parametrize("expression", ["rate(1 days)", "rate(2 day)"])
def test_only_a_rule_minds_whether_one_day_is_written_as_days(expression):
    assert problem(expression) is None
    assert problem(expression, counted=True).startswith("must be a ")
