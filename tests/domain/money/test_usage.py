import pytest

from domain.config.sections import ConfigError, Usage
from domain.money.usage import filled, hours_of, month_of, read_usage, sizes
from tests.domain.money.scenario import config, month, requests


def test_every_size_fills_in_every_setting():
    decided_elsewhere = {"size", "training_runs", "batch_runs"}
    for size, settings in sizes().items():
        assert settings.keys() == Usage.__dataclass_fields__.keys() - decided_elsewhere
        month_of(config({"size": size, "training_runs": 1.0}))


def test_a_month_is_730_hours_of_the_weeks_rates():
    asked = month(
        {"requests_per_second": 1.0, "hours": {"mon-fri 07-19": 5.0}, "rows_per_request": 2.0, "outcomes_percent": 25.0}
    )
    weekly = 60 * 3600 * 5.0 + 108 * 3600 * 1.0  # 60 busy hours of the 168
    assert asked.requests == pytest.approx(weekly * 730 / 168)
    assert asked.predictions == pytest.approx(2 * asked.requests)
    assert asked.outcomes == pytest.approx(asked.predictions / 4)


def test_a_rate_alone_is_the_rate_of_every_hour():
    assert month(requests(1_000_000)).requests == pytest.approx(1_000_000)
    assert month({"requests_per_second": 0.0}).requests == 0


def test_runs_are_those_of_the_schedules_unless_said_otherwise():
    scheduled = month(
        {"rows_per_batch": 12_000},
        training={"schedule": "rate(1 day)"},
        batch={"schedule": "rate(1 hour)", "rows_per_chunk": 5000},
    )
    assert (scheduled.training_runs, scheduled.batch_runs) == pytest.approx((730 / 24, 730))
    assert (scheduled.batch_rows, scheduled.chunks) == pytest.approx((730 * 12_000, 730 * 3))
    assert month({"training_runs": 2.0, "batch_runs": 0.0}).training_runs == 2
    assert month({}, training={"schedule": "off"}).training_runs == 0


def test_hours_of_the_week_are_named_by_days_and_hours():
    assert hours_of("mon 00-02") == {0, 1}
    assert hours_of("sat-mon 23-24") == {5 * 24 + 23, 6 * 24 + 23, 23}
    assert hours_of("mon 7-5") == hours_of("monday 07-19") == hours_of("mon 07-25") == set()


def test_all_that_is_wrong_with_a_profile_is_said_at_once(tmp_path):
    file = tmp_path / "usage.toml"
    file.write_text('size = "huge"\npredict_s = 0.2\nrequest_kb = -1\nlog_kb = 900_000\nrows_per_batch = 1.5\n')
    with pytest.raises(ConfigError) as error:
        read_usage(config(), file)
    size, unknown, negative, unit, kind = error.value.problems
    assert size == "usage.size = 'huge': must be one of small, medium, large"
    assert unknown.startswith("usage.predict_s: must be one of the settings size, ")
    assert unknown.endswith(
        "Did you mean predict_ms? Mind the unit: duration of one request in predict, "
        "including the endpoint, in milliseconds"
    )
    assert negative == "usage.request_kb = -1: must be at least 0.001"
    assert unit == "usage.log_kb = 900000: must be at most 256.0"  # bytes where kilobytes are meant
    assert kind == "usage.rows_per_batch = 1.5: must be a whole number"


def test_a_profile_may_stand_below_usage_as_in_fairway_toml(tmp_path):
    file = tmp_path / "usage.toml"
    file.write_text('[usage]\nsize = "large"\nmonths = 3\n')
    assert read_usage(config(), file).usage == Usage(size="large", months=3)


@pytest.mark.parametrize(
    ("usage", "problem"),
    [
        ({"hours": {"weekdays": 1.0}}, "usage.hours = 'weekdays': must be days and hours such as"),
        ({"hours": {"mon 07-19": -1.0}}, "usage.hours.mon 07-19 = -1.0: must be requests per second, from 0"),
        ({"scoring_ms": 80.0, "predict_ms": 60.0}, "usage.scoring_ms = 80.0: must be at most usage.predict_ms = 60.0"),
    ],
)
def test_what_cannot_be_is_refused(usage, problem):
    with pytest.raises(ConfigError, match=problem):
        month(usage)


def test_what_a_profile_says_wins_over_its_size():
    assert filled(Usage(size="large", log_kb=0.0)).log_kb == 0.0
    assert filled(Usage(size="large")).rows_per_batch == sizes()["large"]["rows_per_batch"]
