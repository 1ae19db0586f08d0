"""A report as one HTML page: no script, nothing fetched, every text escaped. Its words are in `templates`."""

from markupsafe import Markup

from domain.train.coverage import describe
from domain.train.curves import Risk
from domain.watch.decision import Action
from domain.watch.verdict import WindowItem
from fairway.money import hosting_plot
from fairway.money.tables import measured_by
from fairway.report import charts, curve_charts
from fairway.report.charts import Bar, Dot, Limit
from fairway.report.curve_charts import Axis, Line
from fairway.report.record import Bill, Champion, Failing, Judged, Report
from fairway.report.render import render
from fairway.report.trial import difference_chart, harm_chart
from fairway.report.watched import wrong_chart
from fairway.stage.standing import Standing, by_outcomes
from fairway.stage.windows import HEADS, followed, in_words, row

SHOWN, DRAWN = 14, 90  # windows in the table, and in the picture
Z_95 = 1.96  # of the normal distribution: so many standard errors each way hold the true value 95 times in 100


def page(report: Report) -> str:
    """Write the page of a report."""
    document = render(
        "page.html",
        report=report,
        agreed=_agreed(report.judged) if report.judged else "",
        covered=describe(report.judged.coverage) if report.judged and report.judged.coverage else "",
        at_release=_at_release(report.standing) if report.standing else "",
        outcomes=by_outcomes(report.standing.observed) if report.standing else "",
        fallback_answer=_fallback_answer(report.failing),
        fallback_share=_fallback_share(report.failing),
        quality_chart=_quality_chart(report.judged, report.champion) if report.judged and report.champion else None,
        risk_chart=_risk_chart(report.judged.risk) if report.judged and report.judged.risk else None,
        cost_chart=_cost_chart(report.bill) if report.bill else None,
        difference_chart=difference_chart(report.trial) if report.trial else None,
        harm_chart=harm_chart(report.trial) if report.trial else None,
        hosting_chart=_hosting_chart(report.bill) if report.bill else None,
        heads=HEADS,
        windows=[row(item) for item in report.windows[-SHOWN:]],
        found=[in_words(each) for each in report.windows[-1]["findings"]] if report.windows else [],
        decisions=[(each["run"], text) for each in report.windows[-SHOWN:] if (text := _worth_telling(each))],
        wrong_chart=wrong_chart(report.windows[-DRAWN:], report.wrong_at_release),
        measured_by=measured_by(report.champion.release if report.champion else None),
        z_95=Z_95,
    )
    return str(document)


def _worth_telling(window: WindowItem) -> str:
    """Write the decision of a window; empty where nothing followed, and no loss spoke for anything."""
    decision = window.get("decision")
    idle = decision is None or (decision["action"] == Action.NOTHING and "loss" not in decision)
    return "" if idle else followed(window)


def _agreed(judged: Judged) -> str:
    word = "most" if judged.smaller_is_better else "least"
    return f"at {word} {judged.agreed:g} was agreed" if judged.agreed else "no limit was agreed"


def _at_release(standing: Standing) -> str:
    return "not known" if standing.at_release is None else f"{standing.at_release:.4f}"


def _fallback_answer(failing: Failing) -> str:
    prediction = failing.answer["prediction"]
    return str(prediction).lower() if isinstance(prediction, bool) else str(prediction)


def _fallback_share(failing: Failing) -> str:
    if not failing.looked_at or failing.by_fallback is None:
        return "How often the fallback answered is unknown: there is no stored answer."
    share = 100 * failing.by_fallback / failing.looked_at
    return (
        f"{failing.by_fallback:,} of {failing.looked_at:,} stored answers looked at are the fallback's ({share:.1f} %)."
    )


def _quality_chart(judged: Judged, champion: Champion) -> Markup:
    tried = [each.candidate for each in judged.tried]
    rows = [Dot("prior", judged.prior)] if judged.prior is not None and "prior" not in tried else []
    rows += [Dot("champion before", judged.before.quality)] if judged.before else []
    rows += [
        Dot(
            each.candidate,
            each.quality,
            error=Z_95 * each.standard_error if each.standard_error else None,
            strong=each.candidate == champion.candidate,
        )
        for each in sorted(judged.tried, key=lambda each: each.quality, reverse=judged.smaller_is_better)
    ]
    limit = Limit(judged.agreed, _agreed(judged)) if judged.agreed else None
    return charts.dots(rows, limit=limit, title=f"{judged.metric} of all that were compared")


def _risk_chart(risk: Risk) -> Markup:
    all_rows = list(zip(risk["answered"], risk["wrong"], strict=True))
    worst = [(at, share) for at, share in zip(risk["answered"], risk["worst"], strict=True) if share is not None]
    rows = [Line("all rows", all_rows, strong=True), Line(f"worst {risk['window']:,} rows in a row", worst, look=1)]
    highest = max(share for _, share in (*all_rows, *worst))
    y = Axis("wrong", high=min(1.0, highest * 1.1) or 1.0)
    return curve_charts.lines(rows, x=Axis("answered, the surest first"), y=y, title="Wrong answers by share answered")


def _cost_chart(bill: Bill) -> Markup:
    month, budget = bill.projection, bill.budget_usd
    rows = [Bar(flow, usd) for flow, usd in month.by_flow_usd.items()]
    rows.append(Bar("together", month.monthly_usd, month.low_usd, month.high_usd, strong=True))
    alert = Limit(budget * bill.alert_percent / 100, f"{bill.alert_percent:g} %: a warning")
    limits = [alert, Limit(budget, f"budget ${budget:,.2f}")] if budget else []
    return charts.bars(rows, limits=limits, title="cost by flow, US dollars a month")


def _hosting_chart(bill: Bill) -> Markup | None:
    if not bill.hosting["curve"]:
        return None
    title = "Hosting: what it costs at what traffic"
    picture = hosting_plot.svg(bill.hosting, title=title, requests=bill.requests)
    return Markup(picture)  # escaped by its author
