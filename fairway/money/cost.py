"""`fairway cost`: what a stage will cost a month, from its templates, its usage and the price table, before it is
deployed.
"""

import json
from collections.abc import Callable
from dataclasses import astuple, replace
from datetime import UTC, date, datetime
from pathlib import Path

from domain.config.sections import Config, read_config
from domain.contract.schema import Contract
from domain.money import difference, hosting, worth
from domain.money.calculator import usage_lines
from domain.money.instances import InstanceError
from domain.money.prices import OLD_AFTER_DAYS, STALE_AFTER_DAYS, PriceError, Prices, read_prices
from domain.money.projection import lifecycle_saving_usd, project
from domain.money.template import read_templates
from domain.money.usage import Month, month_of, read_usage, with_usage
from domain.money.worth import WorthError
from fairway.money import comment as cost_comment
from fairway.money import tables
from fairway.money.hosting_plot import write_plot
from fairway.money.prices import prices_file
from fairway.money.synth import synthesise, synthesise_at
from fairway.stage.aws import connect, contract_of
from fairway.stage.champion import champion_here, champion_of
from fairway.terminal.done import Done
from fairway.terminal.errors import Failed, Refused

NO_ACCOUNT = "000000000000"
STALE_MAY_BE = 2.0  # times what it was: where that would break the budget, a stale price decides nothing


def cost(
    folder: Path,
    stage: str,
    *,
    usage: Path | None = None,
    measured_days: int | None = None,
    compare: str | None = None,
    hosts: bool = False,
    plot: Path | None = None,
    comment: Path | None = None,
    decisions: Path | None = None,
    export: Path | None = None,
    within_budget: bool = False,
    templates: Path | None = None,
    today: str | None = None,
    synth: Callable[[Path, str], Path] = synthesise,
    progress,
) -> Done:
    """The projection.

    `measured_days` takes the usage, and the decisions, from what the stage measured; `compare` is a git reference or a
    file that `--json` wrote; `decisions` is a file of right and wrong ones; `plot` is drawn to, an .svg or .html file;
    `comment` is written for a pull request, `export` for AWS's own calculator.
    """
    config = read_config(folder, stage)
    if measured_days:
        config, counts, release = of_the_stage(config, folder, stage, measured_days, progress)
    else:
        counts, release = None, champion_here(folder, stage)
    config = read_usage(config, usage) if usage else config
    month, prices = month_of(config), read_table(folder, config)
    today = today or date.today().isoformat()
    if not templates:
        progress(f"Building the templates of {stage}")
    found = projected(templates or synth(folder, stage), month, prices, today)
    if compare:
        progress(f"Comparing with {compare}")
        found["difference"] = difference.difference(before(compare, folder, month, prices, today), found)
    if comment:
        write_comment(comment, found, config, compare)
    if hosts or plot:
        found["hosting"] = {
            "release": release and release["release"],
            **hosting.compare(month, measured(month, release), prices),
        }
    if plot:
        title = f"Hosting {config.project.name}, stage {stage}: what it costs at what traffic"
        write_plot(plot, found["hosting"], title=title, requests=month.requests)
    counts = counts if counts and any(counts.values()) else release and release.get("decisions")
    if decisions or (counts and any(astuple(config.business))):
        found["worth"] = worth_of(config, contract_of(folder, config), decisions, counts, found)
    if export:
        account = config.target.account or NO_ACCOUNT
        export.write_text(json.dumps(usage_lines(found["lines"], account=account), indent=1), encoding="utf-8")
    if within_budget:
        refuse_above_budget(config, found)
    return Done(found, tables.lines(found, config), next_step(found, config))


def write_comment(file: Path, found: dict, config: Config, compare: str | None) -> None:
    if not compare:
        raise Refused(
            "compare", f"--comment {file}: says what a change costs, so say with --compare REF what it changes"
        )
    file.write_text(cost_comment.comment(found, config, compare), encoding="utf-8")


def read_table(folder: Path, config: Config) -> Prices:
    try:
        return read_prices(config.target.region, prices_file(folder))
    except PriceError as error:
        raise Refused("prices", str(error)) from error


def projected(templates: Path, month: Month, prices: Prices, today: str) -> dict:
    try:
        resources = read_templates(templates)
        found = project(resources, month, prices, today=today)
    except (FileNotFoundError, InstanceError) as error:
        raise Refused("cost", str(error)) from error
    return {
        **found,
        "lifecycle_saves_usd": lifecycle_saving_usd(resources, month, prices),
        "budget_usd": month.config.budget.monthly_usd,
    }


def before(compare: str, folder: Path, month: Month, prices: Prices, today: str) -> dict:
    """The projection to compare with: the settings of then, under the usage and the prices of now."""
    file = Path(compare)
    if not file.is_file():
        templates, config = synthesise_at(compare, folder, month.config.stage)
        return projected(templates, month_of(replace(config, usage=month.config.usage)), prices, today)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:  # nor is it JSON
        found = None
    if not isinstance(found, dict) or not {"lines", "monthly_usd", "unpriced"} <= found.keys():
        raise Refused("compare", f"{file}: not a projection; `fairway cost --json > {file.name}` writes one")
    return found


def measured(month: Month, release: dict | None) -> hosting.Measured:
    """Of the model to host. What no release has shown yet is taken to be as large and as slow as the benchmarks allow."""
    shown, agreed = release or {}, month.config.benchmarks
    return hosting.Measured(
        scoring_ms=month.usage.scoring_ms,
        p99_ms=shown.get("p99_ms", agreed.p99_ms),
        memory_mb=month.usage.memory_mb,
        size_mb=shown.get("size_mb", agreed.size_mb),
    )


def of_the_stage(
    config: Config, folder: Path, stage: str, days: int, progress
) -> tuple[Config, dict | None, dict | None]:
    """What the deployed stage measured: its usage, for a binary task its right and wrong decisions, and its champion."""
    from fairway.money.measured_usage import decisions, measured_usage

    progress(f"Reading what {stage} measured in {days} days")
    deployed = connect(folder, stage)
    told = measured_usage(deployed, days=days, now=datetime.now(UTC))
    counts = decisions(deployed) if config.project.task == "binary" else None
    return with_usage(config, told, f"measured in {stage}"), counts, champion_of(deployed)


def worth_of(config: Config, contract: Contract, decisions: Path | None, counts: dict | None, found: dict) -> dict:
    try:
        counts = json.loads(decisions.read_text(encoding="utf-8")) if decisions else counts
        fallback_says_yes = config.project.task == "binary" and contract.prior >= config.serving.threshold
        return worth.judge(
            config.business, counts, predictions=found["predictions"], cost=found, fallback_says_yes=fallback_says_yes
        )
    except (ValueError, AttributeError) as error:
        shape = json.dumps(dict.fromkeys(worth.CELLS, 0))
        problem = str(error) if isinstance(error, WorthError) else "not an object of counts"
        raise Refused("decisions", f"{decisions}: {problem}; write {shape} with what was counted") from None


def refuse_above_budget(config: Config, found: dict) -> None:
    """For a pipeline: exit code 1 above the budget, and where the bill cannot be trusted to decide it."""
    budget = config.budget.monthly_usd
    if found["monthly_usd"] > budget:
        raise Failed(
            "budget",
            f"${found['monthly_usd']:,.2f} a month is above budget.monthly_usd = {budget:g} of stage {config.stage!r}",
        )
    if found["unpriced"]:
        names = ", ".join(sorted({each["resource"] for each in found["unpriced"]}))
        raise Failed("unpriced", f"the budget cannot be judged: no price of {names}")
    if found["monthly_usd"] + (STALE_MAY_BE - 1) * found["stale_usd"] > budget:
        raise Failed(
            "prices",
            f"the budget cannot be judged: prices of ${found['stale_usd']:,.2f} of the bill are older than {STALE_AFTER_DAYS} days "
            f"or undated, and twice as much would break it; run `fairway prices refresh`",
        )


def next_step(found: dict, config: Config) -> str:
    if found["unpriced"]:
        return "the unpriced resources above are not in the total; `fairway prices refresh` may find their prices"
    if found["monthly_usd"] > config.budget.monthly_usd:
        return "`fairway cost --hosting` compares what the model could be hosted on"
    if found["old_prices"] or found["undated_prices"]:
        return f"some prices are undated or older than {OLD_AFTER_DAYS} days; `fairway prices refresh` reads them anew"
    return "`fairway cost --usage FILE` reckons with another usage"
