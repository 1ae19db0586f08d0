"""Find settings of a stage that are valid alone but contradict each other."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from domain.config.hyperparameters import hyperparameter_problems
from domain.hours import HoursError, read_hours

if TYPE_CHECKING:  # sections.py imports this module
    from domain.config.sections import Budget, Config, Data, Serving, Training

# minimum storage durations of Glacier Instant Retrieval and Deep Archive
LEAST_COLD_DAYS, LEAST_ARCHIVED_DAYS = 90, 180


def contradictions(config: Config) -> list[str]:
    """Describe each contradiction in a stage's `Config`, one sentence each."""
    return [
        *_window_problems(config.data),
        *_parameters_problems(config.training, config.project.task),
        *_hours_problems(config.serving),
        *_ageing_problems(config.data),
        *_worth_problems(config),
        *_abstain_problems(config),
        *budget_problems(config.budget),
    ]


def _window_problems(data: Data) -> list[str]:
    if data.evaluate_days < data.window_days:
        return []
    problem = f"data.evaluate_days = {data.evaluate_days}: must be less than data.window_days = {data.window_days}"
    return [f"{problem}, so that rows are left to train on"]


def _parameters_problems(training: Training, task: str) -> list[str]:
    parameters = training.parameters
    strangers = [name for name in parameters if name not in training.candidates]
    problems = [
        f"training.parameters.{name}: not one of training.candidates {training.candidates}" for name in strangers
    ]
    for name, values in parameters.items():
        if name not in strangers and not isinstance(values, dict):
            problems.append(
                f"training.parameters.{name} = {values!r}: must be a table, e.g. parameters.{name}.max_iter = 200"
            )
        elif name not in strangers:
            problems += hyperparameter_problems(name, task, values)
    return problems


def _abstain_problems(config: Config) -> list[str]:
    abstain = config.confidence.abstain
    if abstain == "off" or config.project.task != "regression":
        return []
    return [
        f"confidence.abstain = {abstain!r}: must be 'off' in a regression task, whose answers have no set of classes"
    ]


def _worth_problems(config: Config) -> list[str]:
    if not config.budget.require_positive_value:
        return []
    if config.project.task != "binary":
        problem = "budget.require_positive_value: only decisions of a binary task have a value"
        return [f"{problem}; this task is {config.project.task}"]
    if not any(dataclasses.astuple(config.business)):
        problem = "budget.require_positive_value: every value of [business] is 0, so no model could ever pay for itself"
        return [f"{problem}; set the values of decisions"]
    return []


def budget_problems(budget: Budget) -> list[str]:
    stops = ("stop_training_percent", "stop_challengers_percent", "stop_model_percent")
    asked = next((stop for stop in stops if getattr(budget, stop)), None)
    if budget.monthly_usd or not asked:
        return []
    problem = f"budget.{asked} = {getattr(budget, asked)}: a percentage of a zero budget never triggers"
    return [f"{problem}; set budget.monthly_usd"]


def _hours_problems(serving: Serving) -> list[str]:
    if serving.mode == "function":
        return function_problems(serving)
    if serving.idle_hours and not serving.office_hours and serving.outside == "fallback":
        problem = f"serving.idle_hours = {serving.idle_hours}: nothing would create the endpoint again"
        return [f'{problem}; add serving.office_hours or outside = "wake"']
    try:
        if serving.office_hours:
            read_hours(serving.office_hours)
    except HoursError as error:
        return [f"serving.office_hours = {serving.office_hours!r}: {error}"]
    return []


def function_problems(serving: Serving) -> list[str]:
    """Describe settings of an endpoint that are set although `serving.mode = "function"` has none."""
    own = {name: getattr(serving, name) for name in ("office_hours", "idle_hours", "outside", "instances")}
    usual = {field.name: field.default for field in dataclasses.fields(serving)}
    return [
        f'serving.{name} = {value!r}: must be left out with serving.mode = "function", which has no endpoint; remove it'
        for name, value in own.items()
        if value != usual[name]
    ]


def _ageing_problems(data: Data) -> list[str]:
    """Describe ages at which data would leave a storage class before its minimum duration, which saves nothing."""
    moved = max(data.hot_days, data.window_days) if data.hot_days else 0
    problems = []
    if data.archive_days and data.archive_days < (least := max(moved + LEAST_COLD_DAYS, data.window_days)):
        problems.append(
            f"data.archive_days = {data.archive_days}: must be 0 or at least {least}, "
            f"as Glacier bills at least {LEAST_COLD_DAYS} days"
        )
    earliest = (
        data.archive_days + LEAST_ARCHIVED_DAYS
        if data.archive_days
        else moved + LEAST_COLD_DAYS
        if moved
        else data.window_days
    )
    if data.delete_days and data.delete_days < earliest:
        problems.append(
            f"data.delete_days = {data.delete_days}: must be 0 or at least {earliest}, after every window "
            "and the minimum billing of the last storage class"
        )
    return problems
