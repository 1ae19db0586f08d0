"""A training run of a backtest, from its candidates to the verdict of the gate."""

from datetime import date
from typing import NamedTuple

from domain.config.sections import Config
from domain.contract import schema as contract_rules
from domain.release import gate
from domain.release.evaluation import Candidate, Champion, Evaluation
from domain.release.gate import Judgement
from model_code.backtest.history import History
from model_code.backtest.trained import Model, Refused, untimed, window_as_of, yardstick_as_of
from model_code.evaluate import Yardstick, baseline, champion_of, coverage_of, measure
from model_code.settings import JobRefused


class Release(NamedTuple):
    """A model that passed the gate."""

    name: str
    model: Model


class Judged(NamedTuple):
    """`release` is None unless the gate approved one; `judgement` is None where nothing could be judged."""

    judgement: Judgement | None
    release: Release | None
    reason: str


class Judge:
    """Judges the runs of one day: what they share is read and measured once."""

    def __init__(self, history: History, config: Config, day: date, candidates: dict[str, Model | Refused]) -> None:
        self._history, self._config, self._day = history, config, day
        self._models = {name: model for name, model in candidates.items() if isinstance(model, Model)}
        self._refusals = {name: model.reason for name, model in candidates.items() if isinstance(model, Refused)}
        self._rows: Yardstick | None = None
        self._champions: dict[str, Champion] = {}

    def judge(self, champion: Release | None) -> Judged:
        """Judge the candidates against the champion of a policy."""
        if self._refusals:  # as in the train flow, whose run fails with any of its jobs
            name, reason = next(iter(self._refusals.items()))
            return Judged(None, None, f"{name}: {reason}")
        try:
            evaluation = self._evaluation(champion)
        except JobRefused as error:
            return Judged(None, None, str(error))
        config = self._config
        judgement = gate.judge(
            config.benchmarks,
            evaluation,
            max_age_days=config.data.max_age_days,
            in_function=config.serving.mode == "function",
        )
        approved = judgement["verdict"] == "approved"
        release = Release(judgement["release"], self._models[judgement["candidate"]]) if approved else None
        return Judged(judgement, release, _approval(judgement, evaluation) if approved else judgement["reason"])

    def _evaluation(self, champion: Release | None) -> Evaluation:
        rows, config = self._yardstick(), self._config
        window = window_as_of(config, self._day)
        return {
            "metric": config.benchmarks.metric,
            "imported": False,
            "threshold": config.serving.threshold,
            "rows": len(rows.table),
            "quarantined": 0,
            "window": window,
            "coverage": coverage_of(rows.contract, window, rows.table),
            "baseline": baseline(rows),
            "candidates": {name: self._candidate(name, model) for name, model in self._models.items()},
            "champion": self._measured(champion) if champion else None,
        }

    def _candidate(self, name: str, model: Model) -> Candidate:
        return {
            **model.measured,
            "model_uri": name,
            "contract": contract_rules.as_dict(model.artefact.contract),
            "golden": "",
            "reference": "",
            "confidence": "",
        }

    def _measured(self, champion: Release) -> Champion:
        """Measure the champion on the rows of this day, once for all policies that have it."""
        if champion.name not in self._champions:
            model = champion.model
            result = measure(self._yardstick(), model.artefact, model.size_mb, timed=untimed)
            self._champions[champion.name] = champion_of(champion.name, result, self._models)
        return self._champions[champion.name]

    def _yardstick(self) -> Yardstick:
        if self._rows is None:
            self._rows = yardstick_as_of(self._history, self._config, self._day)
        return self._rows


def _approval(judgement: Judgement, evaluation: Evaluation) -> str:
    """Describe an approval without the time of answers, which is not measured here."""
    metric, name, current = evaluation["metric"], judgement["candidate"], evaluation["champion"]
    against = (
        f"{current['metrics'][metric]:.4f} of the champion {current['release']} (standard error of the gain "
        f"{current['gain_errors'][name]:.4f})"
        if current
        else f"{evaluation['baseline'][metric]:.4f} of the prior"
    )
    return (
        f"{name}: {metric} {judgement['metrics'][metric]:.4f} on {evaluation['rows']:,} later rows, against {against}"
    )
