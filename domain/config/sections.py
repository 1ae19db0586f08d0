"""The settings of fairway.toml, with defaults, limits and descriptions.

Each section is a dataclass, and each setting has its description, so this file is the schema, the defaults and the
reference (a test checks docs/settings.md against it).
"""

import dataclasses
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from domain import schedules
from domain.config.contradictions import contradictions
from domain.config.setting import as_type, section_problems, setting
from domain.config.toml_file import document_of

TASKS = ("binary", "multiclass", "regression")
METRICS = {
    "binary": ("roc_auc", "average_precision", "log_loss", "brier"),
    "multiclass": ("accuracy", "macro_f1", "log_loss"),
    "regression": ("r2", "mae", "rmse"),
}
SMALLER_IS_BETTER = frozenset({"log_loss", "brier", "mae", "rmse"})
CANDIDATES = ("prior", "logistic_regression", "gradient_boosting")
LONGEST_DAYS = 36_500  # limit of every setting in days
LOCAL = "local"  # the stage that `fairway up` deploys on this machine; always available, never in fairway.toml


Document = dict[str, Any]  # fairway.toml, or the settings as JSON


class ConfigError(Exception):
    """Report that fairway.toml cannot be used; `problems` has one sentence for each mistake."""

    def __init__(self, file: str, problems: list[str]):
        self.problems = problems
        super().__init__("\n".join(f"{file}: {problem}" for problem in problems))


SCHEDULE = "`off`, `rate(7 days)` or `cron(minute hour day month weekday year)`"


def _schedule_problem(text: str) -> str | None:
    return None if text == "off" else schedules.problem(text)


def _contract_problem(path: str) -> str | None:
    parts = PurePosixPath(path.replace("\\", "/")).parts
    outside = not parts or parts[0] == "/" or ".." in parts
    return "must be the path of a file inside the project, such as contract.toml" if outside else None


def _shares_problem(percents: list[float]) -> str | None:
    rising = all(one < other for one, other in pairwise(percents))
    return None if rising and all(0 < one <= 50 for one in percents) else "must rise, each above 0 and at most 50"


INSTANCE = r"ml\.[a-z0-9-]+\.[a-z0-9]+"
INSTANCE_FORM = "an instance type such as ml.m5.xlarge"


@dataclass(frozen=True)
class Project:
    name: str = setting(
        doc="first part of every resource's name, {name}-{stage}-...",
        pattern=r"(?=.{2,24}$)[a-z][a-z0-9]*(-[a-z0-9]+)*",
        form="2 to 24 lower-case letters, digits and single dashes, beginning with a letter",
    )
    contract: str = setting(
        doc="the contract's file, relative to fairway.toml",
        check=_contract_problem,
        form="the path of a file inside the project",
    )
    task: str = setting(doc="what is predicted", choices=TASKS)


@dataclass(frozen=True)
class Data:
    window_days: int = setting(90, "how far back a training run looks, evaluation included", least=1, most=LONGEST_DAYS)
    evaluate_days: int = setting(
        28, "length of the newest part of the window, which is held out for the evaluation", least=1, most=LONGEST_DAYS
    )
    duplicates: str = setting(
        "newest",
        "which of several rows with the same key and event time counts. newest: the one loaded last; refuse: a "
        "file with a row that is already loaded is refused; keep: all of them. Without a key, identical rows "
        "all count, and refuse applies to those that are already loaded",
        choices=("newest", "refuse", "keep"),
    )
    max_age_days: int = setting(
        14,
        "reject a run, and alarm, if the newest row it judges on is older than this at its as_of; 0: never",
        least=0,
        most=LONGEST_DAYS,
    )
    hot_days: int = setting(
        90,
        "data older than this, and than window_days, moves to storage at a fifth of the price; 0: never",
        least=0,
        most=LONGEST_DAYS,
    )
    archive_days: int = setting(
        0, "rows older than this move to storage that takes hours to read; 0: never", least=0, most=LONGEST_DAYS
    )
    delete_days: int = setting(
        0, "rows, captured requests and batches older than this are deleted; 0: never", least=0, most=LONGEST_DAYS
    )
    old_version_days: int = setting(
        90, "how long overwritten and deleted files can be restored", least=1, most=LONGEST_DAYS
    )


@dataclass(frozen=True)
class Training:
    schedule: str = setting("rate(7 days)", "when to retrain", check=_schedule_problem, form=SCHEDULE)
    candidates: list[str] = setting(list(CANDIDATES), "recipes that compete in a training run", choices=CANDIDATES)
    parameters: dict[str, Any] = setting(
        {}, "hyperparameters by candidate, named as scikit-learn's, e.g. parameters.gradient_boosting.max_iter = 200"
    )
    instance: str = setting("ml.m5.xlarge", "instance type of training jobs", pattern=INSTANCE, form=INSTANCE_FORM)
    spot: bool = setting(True, "train on Spot capacity, with checkpoints")
    volume_gb: int = setting(10, "disk of each training and evaluation job, in gigabytes", least=1, most=1000)
    parallel: int = setting(
        3,
        "training jobs of a run that run at the same time; at most the account's quota for the instance",
        least=1,
        most=40,
    )
    max_runtime_minutes: int = setting(60, "a training job is stopped after this time", least=1, most=1440)
    seed: int = setting(7, "seed of all randomness in training", least=0, most=2**32 - 1)


@dataclass(frozen=True)
class Benchmarks:
    metric: str = setting("", "metric that decides; empty: the task's first one, roc_auc, accuracy or r2")
    quality: float = setting(0.0, "least value of the metric to be released (largest, if smaller is better)")
    calibration_error: float = setting(
        0.05,
        "largest expected calibration error; with few rows, the error that chance alone causes is allowed too",
        least=0.0,
        most=1.0,
    )
    p99_ms: float = setting(25.0, "largest 99th percentile of the time to score one row, in milliseconds", least=0.001)
    size_mb: float = setting(100.0, "largest artefact, in megabytes", least=0.001)
    gain: float = setting(
        0.0,
        "least gain over the champion on the same rows; the gain must exceed its standard error in any case",
    )


@dataclass(frozen=True)
class Serving:
    mode: str = setting(
        "serverless",
        "serverless: pay per request; instance: always on; function: predict answers itself, without an endpoint",
        choices=("serverless", "instance", "function"),
    )
    memory_mb: int = setting(
        2048, "memory of a serverless endpoint, in megabytes", choices=(1024, 2048, 3072, 4096, 5120, 6144)
    )
    max_concurrency: int = setting(
        5, "concurrent requests of a serverless endpoint; a new account has 10 in total", least=1, most=200
    )
    instance: str = setting(
        "ml.m5.large", "instance type of an instance endpoint", pattern=INSTANCE, form=INSTANCE_FORM
    )
    instances: int = setting(1, "number of instances that an instance endpoint starts with", least=1, most=100)
    deadline_ms: int = setting(
        1500, "time after which the function or the fallback answers, in milliseconds", least=10, most=25000
    )
    threshold: float = setting(0.5, "a binary prediction is true from this probability on", least=0.0, most=1.0)
    keep_predictions_days: int = setting(
        400, "days after which a stored prediction expires", least=1, most=LONGEST_DAYS
    )
    office_hours: str = setting("", 'when endpoints are up, e.g. "mon-fri 07:00-19:00 Europe/Berlin"; empty: always')
    idle_hours: int = setting(
        0, "an endpoint without requests for so many hours is deleted; 0: never", least=0, most=720
    )
    outside: str = setting(
        "fallback",
        "wake: a request without an endpoint creates one, and the function answers meanwhile; fallback: it does not",
        choices=("fallback", "wake"),
    )
    readers: str = setting(
        "any",
        "who may read a stored prediction. any: every caller of the route; own: the caller that requested it",
        choices=("any", "own"),
    )
    wake_minutes: int = setting(15, "how long before the office hours an endpoint is created", least=0, most=120)


@dataclass(frozen=True)
class Release:
    approve: str = setting(
        "auto", "auto: a run that passes is released; manual: a person approves it", choices=("auto", "manual")
    )
    approve_imported: str = setting(
        "manual",
        "manual: a person approves an imported model, which may have seen the held-out rows; auto: as release.approve",
        choices=("auto", "manual"),
    )
    keep_previous_minutes: int = setting(
        60, "how long the previous champion's endpoint is kept for a rollback", least=0, most=525600
    )
    replay_days: int = setting(
        0,
        "of how many days captured requests are scored again by a new release and by the champion before it answers "
        "anybody; 0: none are",
        least=0,
        most=90,
    )
    replay_from: str = setting(
        "",
        "stage of the same account and region whose captured requests are replayed; empty: this stage's own",
        pattern=r"|[a-z][a-z0-9]{1,11}",
        form="the name of a stage, or empty",
    )
    replay_rows: int = setting(10_000, "rows of a replay at most", least=100, most=1_000_000)
    replay_seconds: int = setting(
        60,
        "how many seconds of captured requests, those with most of them, are sent to the endpoints of the new release "
        "and of the champion at their own pace; 0: none are",
        least=0,
        most=600,
    )
    replay_flips: float = setting(
        20.0, "of how many rows, in percent, a new release may decide otherwise in its replay", least=0.0, most=100.0
    )
    shadow: float = setting(
        0.0,
        "of how many entities, in percent, a new release scores the rows too after the champion has answered them, "
        "before it answers anybody; 0: of none",
        least=0.0,
        most=100.0,
    )
    shadow_minutes: float = setting(60.0, "how long a release is a shadow at least", least=0.0, most=525600.0)
    shadow_rows: int = setting(1000, "rows that the shadow is asked about at least", least=1, most=10**9)
    canary: list[float] = setting(
        [],
        "shares of the entities, in percent, that a new release answers one after the other before it is champion, "
        "e.g. [5, 25, 50]; empty: it answers everybody at once",
        check=_shares_problem,
        form="a list of rising numbers, each above 0 and at most 50",
    )
    canary_minutes: float = setting(60.0, "least duration of each share", least=0.0, most=525600.0)
    canary_rows: int = setting(1000, "least number of answers by the canary at each share", least=1, most=10**9)
    look_seconds: int = setting(
        60,
        "how often a rollout looks at its evidence; less often in steps of many hours, which get 200 looks",
        least=1,
        most=3600,
    )
    tolerated_failures: float = setting(
        1.2, "tolerated rate of failed answers of a canary, relative to the champion's", least=1.0, most=10.0
    )
    tolerated_slow: float = setting(
        1.1, "tolerated rate of slow answers of a canary, relative to the champion's", least=1.0, most=10.0
    )
    slow_ms: float = setting(
        0.0,
        "an answer that took longer is slow; 0: only if its endpoint missed the deadline or was throttled",
        least=0.0,
        most=25000.0,
    )


@dataclass(frozen=True)
class Batch:
    schedule: str = setting("off", "when to score the input folder", check=_schedule_problem, form=SCHEDULE)
    input: str = setting(
        "batch/incoming/", "folder of the lake that the schedule scores, each file once for each release and contract"
    )
    instance: str = setting("ml.m5.xlarge", "instance type of scoring jobs", pattern=INSTANCE, form=INSTANCE_FORM)
    instances: int = setting(1, "number of instances that share a batch", least=1, most=100)
    volume_gb: int = setting(30, "disk of each scoring instance, in gigabytes", least=1, most=1000)
    rows_per_chunk: int = setting(5000, "rows that one write_results call stores", least=1, most=20000)


@dataclass(frozen=True)
class Monitoring:
    log_days: int = setting(30, "how long logs are kept", choices=(1, 3, 5, 7, 14, 30, 60, 90, 120, 180, 365, 400, 731))
    fallback_percent: float = setting(
        5.0, "alarm if more answers than this come without the model or its endpoint", least=0.0, most=100.0
    )
    capture_seconds: int = setting(
        60, "how long answers are collected before they are written to the lake", least=1, most=300
    )
    email: str = setting(
        "",
        "address that is notified of alarms; empty: none",
        pattern=r"|[^@\s]+@[^@\s]+",
        form="a mail address, or empty",
    )
    schedule: str = setting(
        "cron(30 0 * * ? *)",
        "when to judge the newest complete window, and earlier ones by their later outcomes",
        check=_schedule_problem,
        form=SCHEDULE,
    )
    window_days: int = setting(1, "days of answers in a window; for few requests take 7", least=1, most=366)
    outcome_days: int = setting(
        1,
        "days after a window's end by which nearly all outcomes have come; then it is judged by them",
        least=0,
        most=366,
    )
    quarantine_percent: float = setting(
        5.0,
        "a window alarms if more of its loaded and scored rows than this break the contract",
        least=0.0,
        most=100.0,
    )
    retrain: str = setting(
        "automatic",
        "automatic: a window that has lost more than a training costs starts one, whose candidate has to pass the gate "
        "like any other; manual: a person is told, with the command",
        choices=("automatic", "manual"),
    )
    instance: str = setting(
        "ml.t3.medium", "instance type of the job that counts a window", pattern=INSTANCE, form=INSTANCE_FORM
    )
    volume_gb: int = setting(10, "disk of that job, in gigabytes", least=1, most=1000)


@dataclass(frozen=True)
class Confidence:
    coverage: float = setting(
        0.9,
        "share of the answers whose set or interval is to contain what really happens; counts from the next run on",
        least=0.5,
        most=0.999,
    )
    happened: str = setting(
        "",
        'says of similar cases that the positive outcome happened, e.g. "were late"; empty: "had TARGET = POSITIVE"',
        pattern=r"[^\x00-\x1f]{0,60}",
        form="at most 60 characters in one line",
    )
    abstain: str = setting(
        "off",
        "an answer whose set has several classes. flag: it is marked for a person; fallback: the fallback answers if "
        "its decision is worth more at both ends of the probability, or [business] has no values; off: neither",
        choices=("off", "flag", "fallback"),
    )


@dataclass(frozen=True)
class Business:
    true_positive_usd: float = setting(0.0, "value of a true positive")
    false_positive_usd: float = setting(0.0, "value of a false positive, usually negative")
    true_negative_usd: float = setting(0.0, "value of a true negative")
    false_negative_usd: float = setting(0.0, "value of a false negative, usually negative")


@dataclass(frozen=True)
class Budget:
    monthly_usd: float = setting(100.0, "budget of the stage, in dollars a month", least=0.0)
    alert_percent: float = setting(75.0, "percent of the budget at which to warn", least=1.0, most=100.0)
    anomaly_usd: float = setting(
        0.0,
        "notify when spending exceeds its usual level by this amount; 0 disables. An account of an AWS Organization "
        "other than its payer may not have the monitor",
        least=0.0,
    )
    require_positive_value: bool = setting(
        False, "refuse candidates whose value by [business] is not shown to exceed the stage's cost"
    )
    stop_training_percent: float = setting(
        0.0, "percent of the budget at which new training runs are refused; 0: never", least=0.0, most=1000.0
    )
    stop_challengers_percent: float = setting(
        0.0, "percent of the budget from which on only the champion answers; 0: never", least=0.0, most=1000.0
    )
    stop_model_percent: float = setting(
        0.0,
        "percent of the budget from which on the fallback answers everything and nothing trains; 0: never",
        least=0.0,
        most=1000.0,
    )


@dataclass(frozen=True)
class Usage:
    """Usage that `fairway cost` calculates with; an omitted setting takes the value of the size
    (domain/money/data/sizes.toml).
    """

    size: str = setting("small", "how busy the stage is", choices=("small", "medium", "large"))
    requests_per_second: float = setting(
        None, "requests per second in all hours that `hours` does not list", least=0.0, most=100_000.0
    )
    hours: dict[str, float] = setting(
        {}, 'requests per second of named hours of the week, e.g. {"mon-fri 07-19" = 5.0}; UTC'
    )
    rows_per_request: float = setting(None, "rows in one request", least=1.0, most=100.0)
    request_kb: float = setting(None, "size of one request, in kilobytes", least=0.001, most=6144.0)
    reply_kb: float = setting(None, "size of one reply, in kilobytes", least=0.001, most=6144.0)
    predict_ms: float = setting(
        None, "duration of one request in predict, including the endpoint, in milliseconds", least=1.0, most=30_000.0
    )
    scoring_ms: float = setting(
        None, "computing time of the endpoint for one request, in milliseconds", least=0.01, most=60_000.0
    )
    memory_mb: float = setting(None, "memory needed to serve the model, in megabytes", least=1.0, most=1_000_000.0)
    outcomes_percent: float = setting(None, "percent of the predictions that get an outcome", least=0.0, most=100.0)
    prediction_bytes: int = setting(None, "size of one stored prediction, in bytes", least=1, most=400_000)
    log_kb: float = setting(None, "log output of one run of a function, in kilobytes", least=0.0, most=256.0)
    rows_loaded: int = setting(None, "rows loaded into the lake a month", least=0, most=10**11)
    row_bytes: float = setting(None, "size of one row in the lake, compressed, in bytes", least=0.1, most=1_000_000.0)
    months: int = setting(None, "months of data that are stored by then", least=1, most=120)
    training_runs: float = setting(None, "training runs a month; omitted: as scheduled", least=0.0, most=3000.0)
    experiment_days: float = setting(
        None, "days a month in which an experiment compares two releases", least=0.0, most=31.0
    )
    training_minutes: float = setting(None, "billed minutes of training one candidate", least=0.1, most=1440.0)
    evaluation_minutes: float = setting(None, "billed minutes of evaluating a run's candidates", least=0.1, most=1440.0)
    artefact_mb: float = setting(None, "size of one candidate's artefact, in megabytes", least=0.001, most=100_000.0)
    spot_saving_percent: float = setting(None, "assumed saving by Spot; AWS guarantees none", least=0.0, most=90.0)
    batch_runs: float = setting(None, "batch runs a month; omitted: as scheduled", least=0.0, most=3000.0)
    rows_per_batch: int = setting(None, "rows scored by one batch run", least=0, most=10**10)
    batch_rows_per_second: float = setting(
        None, "rows that one instance scores in a second", least=1.0, most=10_000_000.0
    )
    start_minutes: float = setting(
        None, "billed minutes that each instance of a job needs to start and stop", least=0.0, most=60.0
    )
    written_rows_per_second: float = setting(
        None, "rows that one write_results function stores in a second", least=1.0, most=100_000.0
    )
    function_ms: float = setting(
        None, "duration of a run of any other function, in milliseconds", least=1.0, most=900_000.0
    )
    metrics: int = setting(None, "custom metrics that the functions write", least=0, most=100_000)
    image_gb: float = setting(None, "size of the container image, in gigabytes", least=0.001, most=10.0)
    deploys: float = setting(None, "deployments a month", least=0.0, most=3000.0)
    free_tier: bool = setting(None, "subtract the permanent free allowances of an account")


@dataclass(frozen=True)
class Target:
    """Account and region of a stage."""

    account: str = setting("", "AWS account; empty takes the caller's", pattern=r"|\d{12}", form="12 digits, or empty")
    region: str = setting(
        "us-east-1", "AWS region", pattern=r"[a-z]{2}(-[a-z]+)+-\d", form="a region such as us-east-1"
    )
    keep_data: bool = setting(True, "keep the lake, the tables and the images when their stack is deleted")


@dataclass(frozen=True)
class Config:
    """Settings of one stage: fairway.toml with the stage's overrides applied."""

    stage: str
    project: Project
    data: Data
    training: Training
    benchmarks: Benchmarks
    serving: Serving
    release: Release
    batch: Batch
    monitoring: Monitoring
    confidence: Confidence
    business: Business
    budget: Budget
    usage: Usage
    target: Target

    @property
    def prefix(self) -> str:
        return f"{self.project.name}-{self.stage}"


SECTIONS: dict[str, Any] = {f.name: f.type for f in dataclasses.fields(Config) if f.name not in ("stage", "target")}


def read_config(folder: Path | str, stage: str = LOCAL) -> Config:
    """Return the settings of one stage. Raises ConfigError naming every problem, or the stages that exist."""
    file = Path(folder) / "fairway.toml"
    document = read_toml(file)
    problems = problems_of(document)
    if not problems and stage != LOCAL and stage not in document.get("stages", {}):
        known = ", ".join([LOCAL, *document.get("stages", {})])
        problems.append(f"stage = {stage!r}: must be one of {known}; add [stages.{stage}] to create it")
    if problems:
        raise ConfigError(str(file), problems)
    return of_stage(document, stage)


def stages(folder: Path | str) -> list[str]:
    """Return the stages of the project that are on AWS, in the order of the file."""
    return list(read_toml(Path(folder) / "fairway.toml").get("stages", {}))


def read_toml(file: Path) -> Document:
    """Read the document. Raises ConfigError."""
    try:
        return document_of(file)
    except FileNotFoundError:
        raise ConfigError(str(file), ["not found; `fairway init --data FILE --target COLUMN` drafts one"]) from None
    except ValueError as error:
        raise ConfigError(str(file), [str(error)]) from None


def of_stage(document: Document, stage: str) -> Config:
    override = document.get("stages", {}).get(stage, {})
    sections: dict[str, Any] = {}
    for name, section in SECTIONS.items():
        values = {**document.get(name, {}), **override.get(name, {})}
        sections[name] = section(**{key: as_type(section, key, value) for key, value in values.items()})
    if not sections["benchmarks"].metric:
        metric = METRICS[sections["project"].task][0]
        sections["benchmarks"] = dataclasses.replace(sections["benchmarks"], metric=metric)
    own = Target.__dataclass_fields__
    target = (
        Target(keep_data=False) if stage == LOCAL else Target(**{key: override[key] for key in own if key in override})
    )
    return Config(stage=stage, target=target, **sections)


def problems_of(document: Document) -> list[str]:
    """Describe every mistake in the document, each as `section.key = value: must be ...`."""
    problems = []
    for name, table in document.items():
        if name == "stages":
            problems += _stage_problems(table)
        elif name not in SECTIONS:
            problems.append(f"[{name}] must be left out; the sections are {', '.join([*SECTIONS, 'stages'])}")
        else:
            problems += section_problems(name, SECTIONS[name], table)
    problems += _missing_problems(document)
    return problems or _cross_problems(document)


def _stage_problems(table: object) -> list[str]:
    if not isinstance(table, dict):
        return ["stages: must have a table for each stage, e.g. [stages.prod]"]
    problems = []
    for stage, override in table.items():
        if stage == LOCAL or not re.fullmatch(r"[a-z][a-z0-9]{1,11}", stage):
            problems.append(f"stages.{stage}: must be 2 to 12 lower-case letters and digits, and not {LOCAL!r}")
        elif not isinstance(override, dict):
            problems.append(f"stages.{stage} = {override!r}: must be a table")
        else:
            own = {key: value for key, value in override.items() if key not in SECTIONS}
            problems += section_problems(f"stages.{stage}", Target, own)
            for name, values in override.items():
                if name in SECTIONS:
                    problems += section_problems(f"stages.{stage}.{name}", SECTIONS[name], values)
    return problems


def _missing_problems(document: Document) -> list[str]:
    project = document.get("project")
    if not isinstance(project, dict):
        return ["[project]: must be there, with name, contract and task"]
    needed = [f.name for f in dataclasses.fields(Project) if f.default is dataclasses.MISSING]
    return [f"project.{key} is missing" for key in needed if key not in project]


def _cross_problems(document: Document) -> list[str]:
    """Describe contradictions between settings, for the base and for every stage."""
    problems = []
    for stage in ["", *document.get("stages", {})]:
        config, path = of_stage(document, stage), f"stages.{stage}." if stage else ""
        problems += [path + problem for problem in (*metric_problems(config), *contradictions(config))]
        problems += [path + problem for problem in _replay_problems(document, config)]
    return list(dict.fromkeys(problems))


def _replay_problems(document: Document, config: Config) -> list[str]:
    """Describe why a stage cannot replay what another one captured; nothing where it replays its own."""
    name, others = config.release.replay_from, set(document.get("stages", {})) - {config.stage}
    if not name:
        return []
    said = f"release.replay_from = {name!r}"
    if name not in others:
        known = ", ".join(sorted(others)) or "none is in the file"
        return [f"{said}: must be another stage, of {known}; set it in [stages.NAME.release] of the stage that replays"]
    other = of_stage(document, name).target
    if (other.account, other.region) != (config.target.account, config.target.region):
        return [f"{said}: must have the account and the region of this stage, whose jobs read its lake"]
    if not config.release.replay_days:
        return [f"{said}: nothing is replayed with release.replay_days = 0; set how many days are"]
    return []


def metric_problems(config: Config) -> list[str]:
    metric, known = config.benchmarks.metric, METRICS[config.project.task]
    return (
        []
        if metric in known
        else [f"benchmarks.metric = {metric!r}: must be one of {', '.join(known)} in a {config.project.task} task"]
    )


def as_dict(config: Config) -> Document:
    """Return the settings as JSON can hold them; `from_dict` reads them back."""
    return dataclasses.asdict(config)


def from_dict(values: Document) -> Config:
    sections: dict[str, Any] = {
        name: section(**values[name]) for name, section in {**SECTIONS, "target": Target}.items()
    }
    return Config(stage=values["stage"], **sections)
