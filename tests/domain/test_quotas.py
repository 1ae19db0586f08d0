"""What a stage needs of the account's quotas, by its settings alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from domain.config.sections import of_stage, read_config
from domain.quotas import Need, Verdict, memory_problem, needs, verdict

PROJECT = {"name": "shop", "contract": "contract.toml", "task": "binary"}
ROOT = Path(__file__).parents[2]


def settings(**sections):
    return of_stage({"project": PROJECT, "stages": {"dev": {}}, **sections}, "dev")


def needed(**sections) -> dict[str, tuple[int, int]]:
    return {need.quota: (need.least, need.wanted) for need in needs(settings(**sections))}


def test_a_project_with_every_default_needs_what_a_new_account_has_but_machines():
    assert needed() == {
        "ml.m5.xlarge for spot training job usage": (1, 3),
        "ml.m5.xlarge for processing job usage": (1, 1),
        "Maximum total concurrency that can be allocated across all serverless endpoints": (10, 10),
        "Concurrent executions": (2, 22),
    }


def test_each_setting_asks_for_its_own_quota():
    assert needed(
        training={"instance": "ml.c5.large", "spot": False, "parallel": 2},
        batch={"instance": "ml.c5.4xlarge", "instances": 7},
        serving={"mode": "instance", "instance": "ml.c5.large", "instances": 3},
        usage={"requests_per_second": 100.0, "predict_ms": 55.0},
    ) == {
        "ml.c5.large for training job usage": (1, 2),
        "ml.c5.large for processing job usage": (1, 1),
        "ml.c5.4xlarge for processing job usage": (7, 7),
        "ml.c5.large for endpoint usage": (6, 6),
        "Concurrent executions": (7, 27),
    }


def test_fewer_candidates_than_may_train_at_once_need_one_machine_each():
    found = needed(training={"parallel": 3, "candidates": ["prior"]})
    assert found["ml.m5.xlarge for spot training job usage"] == (1, 1)


@pytest.mark.parametrize(
    ("value", "expected"), [(0, Verdict.FAILS), (1, Verdict.WAITS), (2, Verdict.WAITS), (3, Verdict.ENOUGH)]
)
def test_a_quota_is_enough_makes_jobs_wait_or_fails(value, expected):
    assert verdict(Need("sagemaker", "machines", 1, 3, ""), value) is expected


def test_memory_that_a_new_account_has_not_is_named():
    assert memory_problem(settings()) is None
    assert memory_problem(settings(serving={"memory_mb": 4096, "mode": "instance"})) is None
    assert memory_problem(settings(serving={"memory_mb": 4096})) == (
        "serving.memory_mb = 4096: a new account has 3072 MB per serverless endpoint, and Service Quotas does not list "
        "what this one has"
    )


def test_each_need_names_the_settings_that_ask_for_it():
    config = read_config(ROOT, "prod")
    named = [need.why for need in needs(replace(config, batch=replace(config.batch, instances=2)))]
    assert named[1] == "the evaluation of a training run and batch.instances = 2"
    assert all(re_named in "".join(named) for re_named in ("training.parallel", "serving.max_concurrency", "[usage]"))
