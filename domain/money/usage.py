"""Usage: what a stage does in a month, from a size, the overrides of [usage] and the schedules."""

import dataclasses
import functools
import math
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.config.sections import Config, ConfigError, Usage, read_toml
from domain.config.setting import as_type, section_problems
from domain.hours import up_shares
from domain.money.schedule import HOURS_PER_MONTH, firings_per_month
from domain.release.pace import MOST as PACED
from domain.release.rollout import LOOKS

SIZES = Path(__file__).parent / "data" / "sizes.toml"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS_PER_WEEK = 168
SECONDS_PER_HOUR = 3600.0
KB_PER_GB = 1024.0**2
BYTES_PER_GB = 1024.0**3
DAYS_PER_MONTH = HOURS_PER_MONTH / 24
SHARDS = 4  # shards of a new on-demand table's stream; a table with more writes has more
FULL_BATCH = 500  # records of a batch, as in infra/request/capture.py
UNITS = ("ms", "s", "seconds", "minutes", "hours", "bytes", "kb", "mb", "gb", "percent", "share")


@dataclass(frozen=True)
class Month:
    """Usage of one month of a stage: the quantities that prices are multiplied by."""

    config: Config
    usage: Usage  # with every setting filled in
    rates: tuple[float, ...]  # requests per second in each of the 168 hours of the week, from Monday 00 UTC
    requests: float
    predictions: float  # rows of requests to the API
    outcomes: float
    training_runs: float
    batch_runs: float
    batch_rows: float
    chunks: float  # calls of write_results
    watch_runs: float

    @property
    def candidates(self) -> int:
        return len(self.config.training.candidates)

    @property
    def up(self) -> tuple[float, ...]:
        """Return the share of each hour of the week in which there is an endpoint, by the office hours."""
        return up_shares(self.config.serving, self.rates)

    @property
    def rollout_minutes(self) -> float:
        """Minutes in which a release is a shadow or a canary, of all the month's runs together."""
        release, minutes = self.config.release, 0.0
        a_minute = self.predictions / (HOURS_PER_MONTH * 60)
        steps = [(percent, release.canary_rows, release.canary_minutes) for percent in release.canary]
        if release.shadow:
            steps.append((release.shadow, release.shadow_rows, release.shadow_minutes))
        for percent, rows, least in steps:
            minutes += max(least, rows / (a_minute * percent / 100) if a_minute else float("inf"))
        return min(minutes * self.training_runs, HOURS_PER_MONTH * 60) if self.training_runs else 0.0

    @property
    def compared_minutes(self) -> float:
        """Minutes in which a second release is up beside the champion: on its way, or as the challenger of an
        experiment.
        """
        return min(self.rollout_minutes + self.usage.experiment_days * 24 * 60, HOURS_PER_MONTH * 60)

    @property
    def looks(self) -> float:
        """Return the number of looks at the evidence of rollouts and of one experiment, which is a step of days."""
        look_s, experiment_s = self.config.release.look_seconds, self.usage.experiment_days * 24 * SECONDS_PER_HOUR
        often_s = min(LOOKS * look_s, experiment_s)  # then every LOOKS-th part of its age
        seldom = LOOKS * math.log(experiment_s / often_s) if often_s else 0.0
        return self.rollout_minutes * 60 / look_s + often_s / look_s + seldom

    @property
    def compared_calls(self) -> float:
        """Calls in which capture asks a rollout's other release, or the shadow."""
        return self.captures * self.compared_minutes / (HOURS_PER_MONTH * 60)

    @property
    def paced_calls(self) -> float:
        """Calls in which replays send captured requests to the endpoints again: the busiest seconds, to two of them."""
        release = self.config.release
        if not (release.replay_days and release.replay_seconds):
            return 0.0
        return self.training_runs * 2 * min(max(self.rates) * release.replay_seconds, PACED)

    @property
    def captures(self) -> float:
        """Return the calls of capture: one for each batch of each shard of the stream.

        A batch ends some seconds after its first answer, or when it is full.
        """
        waits_s = self.config.monitoring.capture_seconds
        rates = [rate * self.usage.rows_per_request for rate in self.rates]
        batches = [max(SHARDS / (waits_s + SHARDS / rate), rate / FULL_BATCH) for rate in rates if rate]
        return sum(batches) * SECONDS_PER_HOUR * HOURS_PER_MONTH / HOURS_PER_WEEK

    @property
    def scored_requests(self) -> float:
        """Return the requests that find an endpoint; the fallback answers the others."""
        asked = sum(self.rates)
        return (
            self.requests * sum(rate * share for rate, share in zip(self.rates, self.up, strict=True)) / asked
            if asked
            else 0.0
        )


def month_of(config: Config) -> Month:
    """Compute a month's usage. Raises ConfigError naming every problem of [usage]."""
    usage = filled(config.usage)
    problems = _usage_problems(usage)
    if problems:
        raise ConfigError("usage", problems)
    rates = _hourly_rates(usage)
    requests = sum(rates) * SECONDS_PER_HOUR * HOURS_PER_MONTH / HOURS_PER_WEEK
    training_runs = _first_given(usage.training_runs, firings_per_month(config.training.schedule))
    batch_runs = _first_given(usage.batch_runs, firings_per_month(config.batch.schedule))
    return Month(
        config=config,
        usage=usage,
        rates=rates,
        requests=requests,
        predictions=requests * usage.rows_per_request,
        outcomes=requests * usage.rows_per_request * usage.outcomes_percent / 100,
        training_runs=training_runs,
        batch_runs=batch_runs,
        batch_rows=batch_runs * usage.rows_per_batch,
        chunks=batch_runs * -(-usage.rows_per_batch // config.batch.rows_per_chunk),
        watch_runs=firings_per_month(config.monitoring.schedule),
    )


def _first_given(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def with_usage(config: Config, table: dict[str, Any], file: str = "usage") -> Config:
    """Return the settings with a usage profile over [usage]. Raises ConfigError naming every problem."""
    table = table.get("usage", table)
    problems = section_problems("usage", Usage, table)
    if problems:
        hints = {f"usage.{key}": _unit_hint(key) for key in table if key not in Usage.__dataclass_fields__}
        raise ConfigError(file, [problem + hints.get(problem.partition(":")[0], "") for problem in problems])
    overrides = {key: as_type(Usage, key, value) for key, value in table.items()}
    return dataclasses.replace(config, usage=dataclasses.replace(config.usage, **overrides))


def read_usage(config: Config, file: Path) -> Config:
    return with_usage(config, read_toml(file), str(file))


def _unit_hint(key: str) -> str:
    """Suggest `predict_ms` for `predict_s`, which most likely is that setting in another unit."""
    stem, _, unit = key.rpartition("_")
    meant = [key for key in Usage.__dataclass_fields__ if stem and key.rpartition("_")[0] == stem]
    if unit not in UNITS or not meant:
        return ""
    return f". Did you mean {meant[0]}? Mind the unit: {Usage.__dataclass_fields__[meant[0]].metadata['doc']}"


@functools.cache
def sizes() -> dict[str, dict[str, Any]]:
    return tomllib.loads(SIZES.read_text(encoding="utf-8"))


def filled(usage: Usage) -> Usage:
    """Each setting left out takes that of the size; a rate without hours is the rate of every hour."""
    size = dict(sizes()[usage.size])
    if usage.requests_per_second is not None or usage.hours:
        del size["hours"]
    return dataclasses.replace(
        usage, **{key: value for key, value in size.items() if getattr(usage, key) in (None, {})}
    )


def _usage_problems(usage: Usage) -> list[str]:
    """Describe problems that the types and limits of single settings cannot show."""
    problems = [problem for span, rate in usage.hours.items() for problem in span_problems(span, rate)]
    if usage.scoring_ms > usage.predict_ms:
        problems.append(
            f"usage.scoring_ms = {usage.scoring_ms}: must be at most usage.predict_ms = {usage.predict_ms}, "
            "which includes it; both are milliseconds"
        )
    return problems


def span_problems(span: str, rate: Any) -> list[str]:
    most = Usage.__dataclass_fields__["requests_per_second"].metadata["most"]
    problems = []
    if not hours_of(span):
        problems.append(f'usage.hours = {span!r}: must be days and hours such as "mon-fri 07-19" or "sun 00-24"')
    if type(rate) not in (int, float) or not 0 <= rate <= most:
        problems.append(f"usage.hours.{span} = {rate!r}: must be requests per second, from 0 to {most:g}")
    return problems


def hours_of(span: str) -> set[int]:
    """Return the hours of the week, 0 to 167, of a span such as `mon-fri 07-19`; empty if it is not a span."""
    names = "|".join(DAYS)
    match = re.fullmatch(rf"({names})(?:-({names}))? (\d\d?)-(\d\d?)", span)
    if not match:
        return set()
    first, last = DAYS.index(match[1]), DAYS.index(match[2] or match[1])
    start, end = int(match[3]), int(match[4])
    if not 0 <= start < end <= 24:
        return set()
    days = [(first + step) % 7 for step in range((last - first) % 7 + 1)]
    return {day * 24 + hour for day in days for hour in range(start, end)}


def _hourly_rates(usage: Usage) -> tuple[float, ...]:
    rates = [float(usage.requests_per_second)] * HOURS_PER_WEEK
    for span, rate in usage.hours.items():
        for hour in hours_of(span):
            rates[hour] = float(rate)
    return tuple(rates)
