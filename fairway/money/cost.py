"""`fairway cost`: the monthly cost of a stage before it is deployed, from its templates, its usage and the
price table.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from domain.config.sections import Config, read_config
from domain.money import hosting
from domain.money.calculator import usage_lines
from domain.money.difference import Baseline, Difference, difference
from domain.money.instances import InstanceError
from domain.money.prices import OLD_AFTER_DAYS, STALE_AFTER_DAYS, PriceError, Prices, read_prices
from domain.money.projection import Projection, Unpriced, lifecycle_saving_usd, project
from domain.money.resources.lines import Line
from domain.money.template import read_templates
from domain.money.usage import Month, month_of, read_usage, with_usage
from domain.money.worth import Worth
from domain.release.state import ReleaseItem
from fairway.deploy.synth import synthesise, synthesise_at
from fairway.money import comment as cost_comment
from fairway.money import tables
from fairway.money.hosting_plot import write_plot
from fairway.money.prices import prices_file
from fairway.money.value import Value, value_of, value_of_file
from fairway.stage.aws import connect, contract_of
from fairway.stage.champion import Champion, champion_here, champion_of
from fairway.terminal.done import Done
from fairway.terminal.errors import Failed, Refused

NO_ACCOUNT = "000000000000"
STALE_MAY_BE = 2.0  # if so many times a stale price would break the budget, nothing is decided


@dataclass(frozen=True)
class Options:
    """Options of `fairway cost` beyond the projection."""

    usage: Path | None = None  # a profile that overrides [usage]
    measured_days: int | None = None  # days of measured usage and decisions
    compare: str | None = None  # a git reference, or a file written by --json
    hosts: bool = False
    plot: Path | None = None  # .svg or .html
    comment: Path | None = None  # Markdown for a pull request
    decisions: Path | None = None  # counts of right and wrong decisions
    export: Path | None = None  # for AWS's own calculator
    within_budget: bool = False
    templates: Path | None = None  # a folder that `cdk synth` wrote
    today: str | None = None  # ISO date; now


class HostingReport(hosting.Comparison):
    """The comparison of hosts, and the release whose p99 and size were used."""

    release: str | None


@dataclass(frozen=True)
class CostReport:
    """A projection and the other results that were requested."""

    projection: Projection
    lifecycle_saves_usd: float
    budget_usd: float
    difference: Difference | None = None
    hosting: HostingReport | None = None
    worth: Worth | None = None
    worth_beside: Worth | None = None  # by the other evidence

    def as_json(self) -> dict[str, Any]:
        """Return the object that --json prints: the projection's keys and the others; results that were not requested
        are absent.
        """
        rest = {name: value for name, value in asdict(self).items() if name != "projection" and value is not None}
        return {**asdict(self.projection), **rest}


def cost(
    folder: Path,
    stage: str,
    options: Options,
    *,
    synth: Callable[[Path, str], Path] = synthesise,
    progress: Callable[[str], None],
) -> Done:
    """Project the bill of a stage, and compare, plot, comment, judge or export it as requested."""
    config = read_config(folder, stage)
    if options.measured_days:
        config, champion = _of_the_stage(config, folder, stage, options.measured_days, progress)
    else:
        champion = champion_here(folder, stage)
    config = read_usage(config, options.usage) if options.usage else config
    month, prices = month_of(config), read_table(folder, config)
    today = options.today or date.today().isoformat()
    if not options.templates:
        progress(f"Building the templates of {stage}")
    report = projected(options.templates or synth(folder, stage), month, prices, today)
    if options.compare:
        progress(f"Comparing with {options.compare}")
        earlier = _before(options.compare, folder, month, prices, today)
        report = replace(report, difference=difference(earlier, report.projection))
    if options.hosts or options.plot:
        report = replace(report, hosting=_hosting_report(month, champion.item if champion else None, prices))
    report = _with_worth(report, config, folder, champion, options.decisions)
    _write_files(options, report, config, month)
    if options.within_budget:
        _refuse_above_budget(config, report.projection)
    return Done(report.as_json(), tables.lines(report, config), _next_step(report.projection, config))


def _with_worth(
    report: CostReport, config: Config, folder: Path, champion: Champion | None, decisions: Path | None
) -> CostReport:
    contract, bill = contract_of(folder, config), report.projection
    value: Value | None = None
    if decisions:
        value = value_of_file(config, contract, bill, decisions)
    elif champion and config.project.task == "binary":
        held_out = champion.item.get("decisions")
        value = value_of(config, contract, bill, held_out=held_out, joined=champion.observed.decisions)
    return replace(report, worth=value.worth, worth_beside=value.beside) if value else report


def _write_files(options: Options, report: CostReport, config: Config, month: Month) -> None:
    if options.comment:
        if not options.compare or report.difference is None:
            raise Refused(
                "compare", "--comment needs --compare REF: it reports the cost difference from that reference"
            )
        options.comment.write_text(cost_comment.comment(report, config, options.compare), encoding="utf-8")
    if options.plot and report.hosting:
        title = f"Hosting {config.project.name}, stage {config.stage}: monthly cost by traffic"
        write_plot(options.plot, report.hosting, title=title, requests=month.requests)
    if options.export:
        usage = usage_lines(report.projection.lines, account=config.target.account or NO_ACCOUNT)
        options.export.write_text(json.dumps(usage, indent=1), encoding="utf-8")


def _hosting_report(month: Month, release: ReleaseItem | None, prices: Prices) -> HostingReport:
    compared = hosting.compare(month, measured(month, release), prices)
    return {"release": release["release"] if release else None, **compared}


def read_table(folder: Path, config: Config) -> Prices:
    """Read the project's price table, or the shipped one."""
    try:
        return read_prices(config.target.region, prices_file(folder))
    except PriceError as error:
        raise Refused("prices", str(error)) from error


def projected(templates: Path, month: Month, prices: Prices, today: str) -> CostReport:
    """Project the bill of a folder of templates."""
    try:
        resources = read_templates(templates)
        projection = project(resources, month, prices, today=today)
    except (FileNotFoundError, InstanceError) as error:
        raise Refused("cost", str(error)) from error
    return CostReport(
        projection,
        lifecycle_saves_usd=lifecycle_saving_usd(resources, month, prices),
        budget_usd=month.config.budget.monthly_usd,
    )


def _before(compare: str, folder: Path, month: Month, prices: Prices, today: str) -> Projection | Baseline:
    """Return the projection to compare with: earlier settings, with the present usage and prices."""
    file = Path(compare)
    if not file.is_file():
        templates, config = synthesise_at(compare, folder, month.config.stage)
        then = month_of(replace(config, usage=month.config.usage))
        return projected(templates, then, prices, today).projection
    return _read_baseline(file)


def _read_baseline(file: Path) -> Baseline:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        lines = [Line(**line) for line in document["lines"]]
        unpriced = [Unpriced(**each) for each in document["unpriced"]]
        return Baseline(float(document["monthly_usd"]), lines, unpriced)
    except (ValueError, TypeError, KeyError):
        problem = f"{file}: must be a projection; `fairway cost --json > {file.name}` writes one"
        raise Refused("compare", problem) from None


def measured(month: Month, release: ReleaseItem | None) -> hosting.Measured:
    """Return the size and speed of the model to host; without a release, the largest that the benchmarks allow."""
    shown, agreed = release or {}, month.config.benchmarks
    return hosting.Measured(
        scoring_ms=month.usage.scoring_ms,
        p99_ms=shown.get("p99_ms", agreed.p99_ms),
        memory_mb=month.usage.memory_mb,
        size_mb=shown.get("size_mb", agreed.size_mb),
    )


def _of_the_stage(
    config: Config, folder: Path, stage: str, days: int, progress: Callable[[str], None]
) -> tuple[Config, Champion | None]:
    """Read the measurements of the deployed stage: its usage, and its champion."""
    # boto3 takes half a second, and a projection needs no AWS
    from fairway.money.measured_usage import measured_usage

    progress(f"Reading what {stage} measured in {days} days")
    deployed = connect(folder, stage)
    usage = measured_usage(deployed, days=days, now=datetime.now(UTC))
    return with_usage(config, usage, f"measured in {stage}"), champion_of(deployed)


def _refuse_above_budget(config: Config, bill: Projection) -> None:
    """Exit with 1 above the budget, or if the bill is too uncertain to decide it."""
    budget = config.budget.monthly_usd
    if bill.monthly_usd > budget:
        raise Failed(
            "budget",
            f"${bill.monthly_usd:,.2f} a month is above budget.monthly_usd = {budget:g} of stage {config.stage!r}",
        )
    if bill.unpriced:
        names = ", ".join(sorted({each.resource for each in bill.unpriced}))
        raise Failed("unpriced", f"the budget cannot be judged: no price of {names}")
    if bill.monthly_usd + (STALE_MAY_BE - 1) * bill.stale_usd > budget:
        raise Failed(
            "prices",
            f"the budget cannot be judged: prices of ${bill.stale_usd:,.2f} of the bill are older than "
            f"{STALE_AFTER_DAYS} days or undated, and twice as much would break it; run `fairway prices refresh`",
        )


def _next_step(bill: Projection, config: Config) -> str:
    if bill.unpriced:
        return "the unpriced resources above are not in the total; `fairway prices refresh` may find their prices"
    if bill.monthly_usd > config.budget.monthly_usd:
        return "`fairway cost --hosting` compares where the model could be hosted"
    if bill.old_prices or bill.undated_prices:
        return f"some prices are undated or older than {OLD_AFTER_DAYS} days; `fairway prices refresh` updates them"
    return "`fairway cost --usage FILE` projects the bill of another usage"
