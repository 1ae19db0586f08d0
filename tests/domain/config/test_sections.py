import dataclasses
import json
import tomllib
from typing import get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.config.sections import SECTIONS, ConfigError, as_dict, from_dict, of_stage, problems_of, read_config, stages
from domain.config.setting import KINDS

PROJECT = {"project": {"name": "flights", "contract": "contract.toml", "task": "binary"}}
BASE = """
[project]
name = "flights"
contract = "contract.toml"
task = "binary"
"""


@pytest.fixture
def project(tmp_path):
    def write(text: str):
        (tmp_path / "fairway.toml").write_text(text)
        return tmp_path

    return write


def test_the_least_project_has_a_default_for_everything_else(project):
    config = read_config(project(BASE))
    assert (config.stage, config.prefix) == ("local", "flights-local")
    assert config.benchmarks.metric == "roc_auc"
    assert config.target.region == "us-east-1"


def test_a_stage_overrides_what_it_names_and_nothing_else(project):
    prod = "[stages.prod]\nregion = 'eu-west-1'\ndata.window_days = 120\nbudget.monthly_usd = 5\n"
    folder = project(f"{BASE}[data]\nwindow_days = 60\n{prod}[stages.dev]\n")
    prod, dev = read_config(folder, "prod"), read_config(folder, "dev")
    assert (prod.data.window_days, dev.data.window_days) == (120, 60)
    assert (prod.target.region, dev.target.region) == ("eu-west-1", "us-east-1")
    assert (prod.budget.monthly_usd, type(prod.budget.monthly_usd)) == (5.0, float)
    assert prod.prefix == "flights-prod"
    assert stages(folder) == ["prod", "dev"]


@pytest.mark.parametrize(("task", "metric"), [("binary", "roc_auc"), ("multiclass", "accuracy"), ("regression", "r2")])
def test_without_a_metric_the_first_of_the_task_decides(project, task, metric):
    assert read_config(project(BASE.replace("binary", task))).benchmarks.metric == metric


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[colors]", "[colors] must be left out; the sections are "),
        ("[data]\nwindow = 5", "data.window: must be one of the settings window_days, evaluate_days"),
        ("[data]\nwindow_days = '90'", "data.window_days = '90': must be a whole number"),
        ("[data]\nwindow_days = 90.0", "data.window_days = 90.0: must be a whole number"),
        ("[data]\nwindow_days = true", "data.window_days = True: must be a whole number"),
        ("[data]\nwindow_days = 0", "data.window_days = 0: must be at least 1"),
        ("[data]\nwindow_days = 36501", "data.window_days = 36501: must be at most 36500"),
        (
            f"[serving]\nkeep_predictions_days = 1{'0' * 40}",
            f"serving.keep_predictions_days = 1{'0' * 40}: must be at most 36500",
        ),
        (
            "[data]\nwindow_days = 28",
            "data.evaluate_days = 28: must be less than data.window_days = 28, so that rows are left to train on",
        ),
        ("[benchmarks]\np99_ms = nan", "benchmarks.p99_ms = nan: must be a number"),
        (
            "[benchmarks]\nmetric = 'r2'",
            "benchmarks.metric = 'r2': must be one of roc_auc, average_precision, log_loss, brier in a binary task",
        ),
        ("[serving]\nmode = 'cheap'", "serving.mode = 'cheap': must be one of serverless, instance, function"),
        ("[serving]\ndeadline_ms = 26000", "serving.deadline_ms = 26000: must be at most 25000"),
        ("[budget]\nrequire_positive_value = true", "budget.require_positive_value: every value of [business] is 0"),
        (
            (
                "[business]\ntrue_positive_usd = 1.0\n[budget]\nrequire_positive_value = true\n"
                "[stages.prod]\nproject.task = 'regression'"
            ),
            (
                "stages.prod.budget.require_positive_value: only decisions of a binary task have a value; "
                "this task is regression"
            ),
        ),
        (
            "[data]\narchive_days = 100",
            "data.archive_days = 100: must be 0 or at least 180, as Glacier bills at least 90 days",
        ),
        ("[data]\nhot_days = 0\narchive_days = 60", "data.archive_days = 60: must be 0 or at least 90"),
        (
            "[data]\narchive_days = 200\ndelete_days = 365",
            "data.delete_days = 365: must be 0 or at least 380, after every window",
        ),
        ("[data]\nhot_days = 0\ndelete_days = 60", "data.delete_days = 60: must be 0 or at least 90"),
        (
            "[serving]\noffice_hours = 'mon 7-19'",
            "serving.office_hours = 'mon 7-19': 'mon 7-19' must be a span of days",
        ),
        (
            "[serving]\nidle_hours = 2",
            "serving.idle_hours = 2: nothing would create the endpoint again; add serving.office_hours",
        ),
        ("[stages.prod]\nserving.office_hours = 'x'", "stages.prod.serving.office_hours = 'x': 'x' must be a span"),
        ("[release]\ncanary = [5, 'half']", "release.canary = [5, 'half']: must be a list of numbers"),
        ("[release]\ncanary = [25, 5]", "release.canary = [25, 5]: must rise, each above 0 and at most 50 ("),
        ("[release]\ncanary = [5, 100]", "release.canary = [5, 100]: must rise, each above 0 and at most 50 ("),
        ("[release]\ncanary = 5", "release.canary = 5: must be a list"),
        ("[training]\ncandidates = []", "training.candidates = []: must name one or more of "),
        (
            "[training]\ncandidates = ['prior', 'prior']",
            "training.candidates = ['prior', 'prior']: must name one or more of ",
        ),
        ("[training]\ncandidates = [['prior']]", "training.candidates = [['prior']]: must name one or more of "),
        ("[training]\nschedule = 'weekly'", "training.schedule = 'weekly': must be rate(7 days) or cron("),
        ("[training]\nschedule = 'rate(1 week)'", "training.schedule = 'rate(1 week)': must be rate(7 days) or cron("),
        (
            "[batch]\nschedule = 'cron(0 24 * * ? *)'",
            "batch.schedule = 'cron(0 24 * * ? *)': must have hour values of 0 to 23, not 24",
        ),
        (
            "[training]\ncandidates = ['prior']\nparameters.gradient_boosting.max_iter = 5",
            "training.parameters.gradient_boosting: not one of ",
        ),
        (
            "[training]\nparameters.prior = 5",
            "training.parameters.prior = 5: must be a table, e.g. parameters.prior.max_iter = 200",
        ),
        (
            "[training]\nparameters.prior.since = 2013-04-01",
            "training.parameters = {'prior': {'since': datetime.date(2013, 4, 1)}}: must be a table of",
        ),
        (
            "[training]\nparameters.prior.rates = [0.1, nan]",
            "training.parameters = {'prior': {'rates': [0.1, nan]}}: must be a table of",
        ),
        ("[training]\nseed = 4294967296", "training.seed = 4294967296: must be at most 4294967295"),
        ("[usage]\nhours = {'mon 07-19' = inf}", "usage.hours = {'mon 07-19': inf}: must be a table of"),
        (f"[budget]\nmonthly_usd = 1{'0' * 400}", "budget.monthly_usd = 10000000000"),
        (
            "[budget]\nmonthly_usd = 0\nstop_model_percent = 100",
            "budget.stop_model_percent = 100.0: a percentage of a zero budget never triggers",
        ),
        ("[stages.local]", "stages.local: must be 2 to 12 "),
        ("[stages.Prod]", "stages.Prod: must be 2 to 12 "),
        ("[stages.prod]\ndata.window_days = 0", "stages.prod.data.window_days = 0: must be at least 1"),
        ("[stages.prod]\nregion = 'here'", "stages.prod.region = 'here': must be a region such as us-east-1"),
        ("[stages.prod]\nbenchmarks.metric = 'r2'", "stages.prod.benchmarks.metric = 'r2': must be one of "),
        ("[stages.prod]\ndata = 5", "stages.prod.data = 5: must be a table, [stages.prod.data]"),
    ],
)
def test_a_mistake_is_refused_with_its_file_its_key_what_was_found_and_what_is_allowed(project, text, problem):
    folder = project(f"{BASE}\n{text}\n")
    with pytest.raises(ConfigError) as refused:
        read_config(folder)
    (message,) = str(refused.value).splitlines()
    assert message.startswith(f"{folder / 'fairway.toml'}: {problem}")


@pytest.mark.parametrize("missing", ["name", "contract", "task"])
def test_what_has_no_default_must_be_given(missing):
    document = {"project": {key: value for key, value in PROJECT["project"].items() if key != missing}}
    assert problems_of(document) == [f"project.{missing} is missing"]
    assert problems_of({}) == ["[project]: must be there, with name, contract and task"]


def test_every_mistake_is_named_at_once(project):
    folder = project(
        BASE + "[data]\nwindow_days = 0\nevaluate_days = 0\n[colors]\n[stages.prod]\nbudget.monthly_usd = -1\n"
    )
    with pytest.raises(ConfigError) as refused:
        read_config(folder)
    assert len(refused.value.problems) == 4


def test_an_unknown_stage_is_refused_with_those_there_are(project):
    folder = project(BASE + "[stages.dev]\n[stages.prod]\n")
    with pytest.raises(ConfigError) as refused:
        read_config(folder, "production")
    assert refused.value.problems == [
        "stage = 'production': must be one of local, dev, prod; add [stages.production] to create it"
    ]


def test_a_file_that_is_missing_or_broken_says_so(tmp_path):
    with pytest.raises(ConfigError, match="not found; `fairway init"):
        read_config(tmp_path)
    (tmp_path / "fairway.toml").write_text("[project")
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_config(tmp_path)
    (tmp_path / "fairway.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_config(tmp_path)


# ---- for everything that could be set

SETTINGS = [(name, field) for name, section in SECTIONS.items() for field in dataclasses.fields(section)]


@pytest.mark.parametrize(("section", "field"), SETTINGS, ids=lambda value: getattr(value, "name", value))
def test_every_setting_says_what_it_is_for_and_its_default_is_one_of_those_allowed(section, field):
    assert field.metadata["doc"]
    assert (get_origin(field.type) or field.type) in KINDS
    document = of_stage(PROJECT, "local")
    value = getattr(getattr(document, section), field.name)
    if value is None:
        return  # left to be found out elsewhere
    given = {**PROJECT, section: {**PROJECT.get(section, {}), field.name: value}}
    assert problems_of(given) == []


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(SETTINGS), anything)
def test_any_value_of_any_setting_is_refused_or_survives_being_written_as_json(setting, value):
    section, field = setting
    document = {**PROJECT, section: {**PROJECT.get(section, {}), field.name: value}}
    if not problems_of(document):
        config = of_stage(document, "local")
        json.dumps(as_dict(config), allow_nan=False)
        assert from_dict(json.loads(json.dumps(as_dict(config)))) == config


@given(st.dictionaries(st.sampled_from([*SECTIONS, "stages", "other"]), anything))
def test_any_document_is_judged(document):
    assert isinstance(problems_of(document), list)
    assert isinstance(problems_of({**document, **PROJECT}), list)


@pytest.mark.parametrize(
    ("stages", "problem"),
    [
        ('[stages.prod]\n[stages.staging.release]\nreplay_from = "prod"\nreplay_days = 7', ""),
        (
            '[stages.prod]\n[stages.staging.release]\nreplay_from = "live"\nreplay_days = 7',
            "stages.staging.release.replay_from = 'live': must be another stage, of prod; ",
        ),
        (
            '[stages.prod.release]\nreplay_from = "prod"\nreplay_days = 7',
            "stages.prod.release.replay_from = 'prod': must be another stage, of none is in the file; ",
        ),
        (
            '[stages.prod]\nregion = "eu-west-1"\n[stages.staging.release]\nreplay_from = "prod"\nreplay_days = 7',
            "stages.staging.release.replay_from = 'prod': must have the account and the region of this stage",
        ),
        (
            '[stages.prod]\n[stages.staging.release]\nreplay_from = "prod"',
            "stages.staging.release.replay_from = 'prod': nothing is replayed with release.replay_days = 0",
        ),
    ],
)
def test_a_stage_replays_the_requests_of_another_one_beside_it_or_is_refused_by_name(stages, problem):
    found = problems_of(tomllib.loads(f'[project]\nname = "shop"\ncontract = "c"\ntask = "binary"\n{stages}\n'))
    assert [one.startswith(problem) for one in found] == ([True] if problem else [])
