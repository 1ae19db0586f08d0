"""The loop of one policy: what follows from a window, by the rule that decides in production."""

from datetime import date, timedelta

from domain.config.sections import Config
from domain.release.evaluation import Measured
from domain.watch import retrain
from domain.watch.decision import Decision
from domain.watch.retrain import Before, Loss, Situation
from model_code.backtest.history import History, midnight
from model_code.backtest.policy import Stand


def decided(stand: Stand, day: date, history: History, config: Config, run_usd: float | None) -> Decision:
    """Decide at the beginning of a day on the window that has just ended."""
    windows, days = stand.watch.items, config.monitoring.window_days
    trained = max((date.fromisoformat(run["as_of"]) for run in stand.runs), default=None)
    usual = config.monitoring.outcome_days
    return retrain.decide(
        Situation(
            at=midnight(day),
            window_days=days,
            champion=stand.champion.name if stand.champion else None,
            state=windows[-1]["state"],
            drifted=retrain.newly_drifted(windows[-1]),
            loss=_loss(stand, config),
            rows_ahead=retrain.rows_ahead(windows, window_days=days, days=retrain.DAYS_WITHOUT_A_SCHEDULE),
            run_usd=run_usd or 0.0,
            new_rows=history.count_known(usual, at=day, after=trained or date.min),
            window_rows=history.count_known(usual, at=day, first=day - timedelta(days=config.data.window_days)),
            before=Before(
                released_at=midnight(stand.since) if stand.since else None,
                trained_at=midnight(trained) if trained else None,
                rejected=stand.rejected,
                is_on_its_way=bool(stand.coming),
            ),
        )
    )


def _loss(stand: Stand, config: Config) -> Loss | None:
    if stand.champion is None:
        return None
    measured = stand.champion.model.measured
    return retrain.loss_of(
        stand.watch.items,
        stand.champion.name,
        business=config.business,
        decisions=measured.get("decisions"),
        wrong_at_release=_wrong(measured),
        window_days=config.monitoring.window_days,
    )


def _wrong(measured: Measured) -> float | None:
    """Return the share of wrong answers on the rows that a release was judged on; None for numbers."""
    if decisions := measured.get("decisions"):
        return (decisions["false_positive"] + decisions["false_negative"]) / sum(decisions.values())
    accuracy = measured["metrics"].get("accuracy")
    return None if accuracy is None else 1 - accuracy
