import pytest

from domain.money.schedule import firings_per_month


@pytest.mark.parametrize(
    ("expression", "firings"),
    [
        ("off", 0),
        ("rate(7 days)", 730 / 168),
        ("rate(1 hour)", 730),
        ("rate(15 minutes)", 2920),
        ("cron(0 5 * * ? *)", 365 / 12),
        ("cron(0/15 8-17 ? * MON-FRI *)", 4 * 10 * 261 / 12),  # 2025 has 261 weekdays
        ("cron(0 6 ? * FRI-MON *)", (52 + 52 + 52 + 52) / 12),
        ("cron(0 0,12 1 JAN,JUL ? *)", 4 / 12),
        ("cron(0 0 L * ? *)", 1),
        ("cron(0 0 ? * 2#1 *)", 1),
        ("cron(0 0 ? * WED *)", 53 / 12),  # 2025 began on a Wednesday
    ],
)
def test_a_schedule_fires_as_often_as_a_calendar_says(expression, firings):
    assert firings_per_month(expression) == pytest.approx(firings)


@pytest.mark.parametrize("expression", ["daily", "cron(0 5 * * *)", "rate(7 weeks)"])
def test_what_is_not_a_schedule_is_refused(expression):
    with pytest.raises(ValueError, match="or be off"):
        firings_per_month(expression)
