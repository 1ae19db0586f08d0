"""`fairway cost` and `fairway prices refresh` on the reference project's own templates."""

import json
import re
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Thread

import pytest

from domain.config.sections import ConfigError, read_config, stages
from domain.money.prices import read_prices
from domain.money.projection import project
from domain.money.template import read_templates
from domain.money.usage import month_of
from fairway.cli import main
from fairway.money.cost import Options, cost
from fairway.money.prices import PRICE_LISTS, download, refresh
from fairway.terminal.errors import Failed, Refused
from fairway.terminal.progress import Progress

ROOT = Path(__file__).parents[3]
LISTS = ROOT / "tests" / "domain" / "money" / "price_lists"
TODAY = "2026-11-22"
KEYS = ("resource", "type", "flow", "unit", "quantity", "unit_usd", "monthly_usd", "price_date", "confidence")


@pytest.fixture(scope="session")
def templates(tmp_path_factory):
    """{stage: folder of its templates}, synthesised in one process, since the CDK takes seconds once."""
    made = {stage: tmp_path_factory.mktemp(stage) for stage in ["local", *stages(ROOT)]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "CDK_VALIDATION", "false"
        )  # costs seconds, is a test of infra, and is read when the CDK is imported
        spec = spec_from_file_location("app", ROOT / "app.py")
        spec.loader.exec_module(deployed := module_from_spec(spec))
        for stage, folder in made.items():
            app = deployed.App(
                outdir=str(folder), analytics_reporting=False, context={"aws:cdk:enable-path-metadata": True}
            )
            deployed.add_stage(app, ROOT, read_config(ROOT, stage), "0123456789ab")
            app.synth()
    return made


@pytest.fixture
def ask(templates, tmp_path):
    """Runs the command in a copy of the project's settings, which `settings` adds to and `ask.edit` changes."""
    for file in ("fairway.toml", "flights/contract.toml"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / file, tmp_path / file)

    def run(stage="local", *, settings="", **options):
        with open(tmp_path / "fairway.toml", "a") as file:
            file.write(settings)
        with Progress() as progress:
            return cost(
                tmp_path,
                stage,
                Options(**{"templates": templates[stage], "today": TODAY, **options}),
                progress=progress,
            )

    def edit(found, put):
        text = (tmp_path / "fairway.toml").read_text()
        assert found in text
        (tmp_path / "fairway.toml").write_text(text.replace(found, put))

    run.folder, run.edit = tmp_path, edit
    return run


def test_nothing_that_any_stage_deploys_is_left_unpriced(templates):
    for stage, folder in templates.items():
        resources = read_templates(folder)
        found = project(resources, month_of(read_config(ROOT, stage)), read_prices("us-east-1"), today=TODAY)
        assert found.unpriced == [], stage
        named = {line.resource for line in found.lines} | {each.resource for each in found.free}
        assert named == {resource.name for resource in resources}, stage


def test_the_projection_says_what_scripts_rely_on(ask):
    found = ask().values
    assert found["stage"] == "local"
    assert 0 < found["low_usd"] <= found["monthly_usd"] <= found["high_usd"] < found["budget_usd"]
    assert found["per_thousand_predictions_usd"] == pytest.approx(1000 * found["monthly_usd"] / found["predictions"])
    assert found["monthly_usd"] == pytest.approx(sum(line["monthly_usd"] for line in found["lines"]))
    assert all(set(KEYS) <= line.keys() for line in found["lines"])
    assert {line["flow"] for line in found["lines"]} == {"train", "request", "batch", "watch", "store"}
    assert found["oldest_price"] == min(
        line["price_date"] for line in found["lines"] if line["price_date"] and line["monthly_usd"] > 0
    )
    assert json.loads(json.dumps(found)) == found


def test_people_read_the_same_as_a_table(ask):
    done = ask()
    text = "\n".join(done.lines)
    assert f"flights, stage local, usage small: ${done.values['monthly_usd']:,.2f} a month" in text
    assert "RealtimeApi/Predict" in text
    assert f"oldest price: {done.values['oldest_price']}" in text


def test_a_larger_usage_costs_more_and_a_stage_without_schedules_trains_nothing(ask):
    small = ask().values["monthly_usd"]
    quiet = ask("staging").values
    assert quiet["by_flow_usd"]["train"] < 0.01
    assert ask(settings='\n[usage]\nsize = "medium"\n').values["monthly_usd"] > 5 * small


def test_a_usage_file_is_laid_over_the_settings(ask):
    profile = ask.folder / "busy.toml"
    profile.write_text("requests_per_second = 10.0\nbatch_runs = 0.0\nrows_per_request = 1.0\n")
    assert ask(usage=profile).values["predictions"] == pytest.approx(10 * 730 * 3600)


def test_an_always_on_endpoint_shows_in_the_difference(ask):
    before = ask.folder / "before.json"
    before.write_text(json.dumps(ask().values))
    assert ask(compare=str(before)).values["difference"]["changes"] == []
    ask.edit('mode = "serverless"', 'mode = "instance"')
    largest = ask(compare=str(before)).values["difference"]["changes"][0]
    # One ml.m5.large: 730 h, and an hour of the one before for each of 730 / 168 weekly releases, x 0.115
    assert (largest["what"], largest["change_usd"]) == (
        "AmazonSageMaker USE1-Host:ml.m5.large",
        pytest.approx((730 + 730 / 168) * 0.115),
    )


def test_a_pull_request_is_told_what_it_costs_also_where_that_is_too_much(ask):
    before, comment = ask.folder / "before.json", ask.folder / "cost.md"
    before.write_text(json.dumps(ask().values))
    ask(compare=str(before), comment=comment)
    assert comment.read_text().startswith("**flights, stage local: +$0.00 a month** ($")
    assert "No cost changes by a cent or more." in comment.read_text()
    ask.edit('mode = "serverless"', 'mode = "instance"')
    with pytest.raises(Failed, match="is above budget.monthly_usd"):
        ask(compare=str(before), comment=comment, within_budget=True)
    text = comment.read_text()
    assert "| Releases/Release | AmazonSageMaker USE1-Host:ml.m5.large | $0.00 | $84.45 | +$84.45 |" in text
    assert "**Above the budget by $" in text
    with pytest.raises(Refused, match="--comment needs --compare REF"):
        ask(comment=comment)


def commit(folder: Path, *words: str) -> None:
    """Run git as somebody who has set up nothing."""
    person = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *person, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(ask):
    """The project's own repository, with a commit of its settings."""
    commit(ask.folder, "init", "-q")
    commit(ask.folder, "commit", "-q", "--allow-empty", "-m", "nothing yet")
    commit(ask.folder, "add", "fairway.toml", "flights")
    commit(ask.folder, "commit", "-q", "-m", "settings")
    return ask


def test_a_project_is_compared_with_a_reference_of_its_own_repository(repository):
    hook = repository.folder / ".git/hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {repository.folder}/ran\n")
    hook.chmod(0o755)
    repository.edit('mode = "serverless"', 'mode = "instance"')
    largest = repository(compare="HEAD").values["difference"]["changes"][0]
    assert (largest["what"], round(largest["change_usd"], 2)) == ("AmazonSageMaker USE1-Host:ml.m5.large", 84.45)
    left = subprocess.run(["git", "worktree", "list"], cwd=repository.folder, capture_output=True, text=True).stdout
    assert (len(left.splitlines()), (repository.folder / "ran").exists()) == (1, False)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("HEAD~1", "--compare HEAD~1: fairway.toml does not exist at HEAD~1; give a later commit"),
        ("no-such-branch", "invalid reference: no-such-branch; give a branch, a commit or a projection's file"),
    ],
)
def test_a_reference_without_the_project_is_refused_by_name(repository, reference, message):
    with pytest.raises(Refused, match=re.escape(message)):
        repository(compare=reference)


def test_outside_of_any_repository_a_file_is_asked_for(ask, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(ask.folder.parent))
    with pytest.raises(Refused, match="is in no git repository; compare with a file that `--json` wrote"):
        ask(compare="main")


def test_hosting_names_the_cheapest_that_keeps_the_benchmarks(ask):
    done = ask(hosts=True)
    cheapest = done.values["hosting"]["cheapest"]
    assert (
        cheapest
        == min(
            (row for row in done.values["hosting"]["options"] if not row["refused"]), key=lambda row: row["monthly_usd"]
        )["option"]
    )
    assert f"cheapest that may be used: {cheapest}" in done.lines


def test_decisions_say_whether_the_model_is_worth_it(ask):
    decisions = ask.folder / "decisions.json"
    decisions.write_text(
        json.dumps({"true_positive": 300, "false_positive": 100, "true_negative": 2000, "false_negative": 200})
    )
    found = ask(decisions=decisions)
    assert found.values["worth"]["positive"] is True
    assert found.values["worth"]["sentence"] in found.lines
    decisions.write_text("[]")
    with pytest.raises(Refused, match="not an object of counts; write .*true_positive"):
        ask(decisions=decisions)


def test_the_usage_can_be_carried_to_the_pricing_calculator(ask):
    file = ask.folder / "calculator.json"
    done = ask(export=file)
    batches = json.loads(file.read_text())
    assert sum(len(batch) for batch in batches) == sum(line["quantity"] > 0 for line in done.values["lines"])


def test_a_pipeline_stops_above_the_budget_and_where_prices_are_too_old_to_tell(ask):
    with pytest.raises(Failed, match=r"a month is above budget.monthly_usd = 60 of stage 'local'"):
        ask(settings='\n[usage]\nsize = "large"\n', within_budget=True)


def test_a_budget_is_not_judged_by_stale_prices(ask):
    rows = (ROOT / "domain" / "money" / "data" / "prices.csv").read_text()
    (ask.folder / "prices.csv").write_text(
        rows.replace("2026-09-21,high", "2024-09-21,high").replace("2026-08-11,high", "2024-08-11,high")
    )
    assert ask(within_budget=True).values["stale_usd"] > 5  # of 60, so that they could double
    ask.edit("monthly_usd = 60.0", "monthly_usd = 18.0")
    with pytest.raises(Failed, match="the budget cannot be judged: prices of .* are older than 365 days"):
        ask(within_budget=True)


def test_a_budget_is_not_judged_where_prices_are_missing(ask):
    ask.edit('[stages.dev]\nregion = "us-east-1"', '[stages.dev]\nregion = "eu-west-1"')
    with pytest.raises(Failed, match="the budget cannot be judged: no price of "):
        ask("dev", within_budget=True)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("predict_s = 1.0", "usage.predict_s: must be one of the settings"),
        ("rows_per_batch = -1", "usage.rows_per_batch = -1: must be at least 0"),
        ("request_kb = 500000.0", "usage.request_kb = 500000.0: must be at most 6144"),
    ],
)
def test_bad_usage_is_refused_by_name(ask, line, problem):
    with pytest.raises(ConfigError, match=problem):
        ask(settings=f"\n[usage]\n{line}\n")


def test_a_machine_that_cannot_host_is_refused(ask):
    ask.edit('mode = "serverless"', 'mode = "instance"\ninstance = "ml.t3.medium"')
    with pytest.raises(
        Refused, match="serving.instance = 'ml.t3.medium': must be an instance type that can host an endpoint"
    ):
        ask()


# ---- fairway prices refresh


def renew(folder, **options):
    with Progress() as progress:
        return refresh(folder, "local", progress=progress, **options)


def test_a_refreshed_table_lies_beside_the_settings_and_is_used(ask):
    before = ask().values["lines"]
    done = renew(ask.folder, lists=LISTS)
    assert done.values["file"] == str(ask.folder / "prices.csv")
    assert len(done.values["refused"]) == 2
    lines = {line["usage_type"]: line for line in ask().values["lines"]}
    assert lines["WriteRequestUnits"]["price_date"] == "2026-11-15"
    assert {line["usage_type"]: line for line in before}["WriteRequestUnits"]["price_date"] == "2026-08-11"


def test_the_lists_are_read_from_aws_one_by_one(ask):
    asked = []

    def fetch(address):
        asked.append(address)
        name = address.split("/")[-4]
        file = LISTS / f"{name}.json"
        empty = {
            "offerCode": name,
            "version": "1",
            "publicationDate": "2026-11-15T00:00:00Z",
            "products": {},
            "terms": {},
        }
        return file.read_bytes() if file.exists() else json.dumps(empty).encode()

    done = renew(ask.folder, fetch=fetch)
    assert PRICE_LISTS.format(offer="AmazonSageMaker", region="us-east-1") in asked
    assert "AmazonSageMaker Host:ml.m5.xlarge" in done.values["updated"]


def test_what_is_not_a_price_list_is_refused(ask):
    with pytest.raises(Refused, match="not a price list of AWS"):
        renew(ask.folder, fetch=lambda address: b"<html>")
    with pytest.raises(Refused, match="none of AWSBudgets.json|none of AWS"):
        renew(ask.folder, lists=ask.folder)
    assert not (ask.folder / "prices.csv").exists()


def listed(**changes) -> bytes:
    return json.dumps({**json.loads((LISTS / "AmazonSageMaker.json").read_text()), **changes}).encode()


def test_a_service_that_a_region_lacks_keeps_the_prices_it_has(ask):
    done = renew(ask.folder, fetch=lambda address: listed() if "/AmazonSageMaker/" in address else None)
    assert "AmazonSageMaker Host:ml.m5.xlarge" in done.values["updated"]
    assert any(each.startswith("AmazonDynamoDB") for each in done.values["unmatched"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"products": {"SKU": {}}},
            "a price list is not as AWS publishes them .KeyError 'attributes'.; the table stays as it is",
        ),
        ({"products": {}}, "none of the table's prices of us-east-1 is in the price lists; the table stays as it is"),
    ],
)
def test_lists_that_cannot_be_used_leave_the_table_as_it_is(ask, changes, message):
    renew(ask.folder, lists=LISTS)
    before = (ask.folder / "prices.csv").read_bytes()
    changes = {"terms": {"OnDemand": {"SKU": {}}}, **changes}
    with pytest.raises((Refused, Failed), match=message):
        renew(ask.folder, fetch=lambda address: listed(**changes) if "/AmazonSageMaker/" in address else None)
    assert (ask.folder / "prices.csv").read_bytes() == before
    assert sorted(file.name for file in ask.folder.glob("*prices*")) == ["prices.csv"]


class Breaking(BaseHTTPRequestHandler):
    """A server whose lists break off halfway, or are not there."""

    def do_GET(self):
        self.send_response(404 if "gone" in self.path else 200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"{")
        self.close_connection = True

    def log_message(self, *words):
        pass


def test_a_download_that_breaks_off_says_what_to_do():
    with ThreadingHTTPServer(("127.0.0.1", 0), Breaking) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert download(f"{address}/gone") is None
        with pytest.raises(Failed, match="download the files elsewhere and give their folder with --lists"):
            download(f"{address}/half")
        server.shutdown()


# ---- as commands


def command(capsys, *words) -> tuple[int, str]:
    """Exit code and standard output of one command."""
    return main([*map(str, words)]), capsys.readouterr().out


def test_the_commands_take_what_they_say(ask, templates, capsys):
    place = ("--project", ask.folder, "--json")
    _, out = command(
        capsys, "cost", "--templates", templates["local"], "--hosting", "--export", ask.folder / "usage.json", *place
    )
    found = json.loads(out)
    assert found["hosting"]["cheapest"]
    assert (ask.folder / "usage.json").exists()
    _, out = command(capsys, "prices", "refresh", "--lists", LISTS, *place)
    assert json.loads(out)["region"] == "us-east-1"
