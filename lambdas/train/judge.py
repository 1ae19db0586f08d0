"""Train, after Evaluate: the verdict under the benchmarks agreed beforehand, for people and for the Model Registry."""

import os
from datetime import UTC, datetime

from domain import lake
from domain.money import worth
from domain.money.prices import read_prices
from domain.money.projection import Projection, project
from domain.money.usage import month_of
from domain.records import release_key
from domain.release import gate
from domain.timestamps import iso
from lambdas.aws import objects, signatures, tables
from lambdas.aws.deployed import deployed
from lambdas.settings import CODE_VERSION, CONFIG, CONTRACT

LAKE = os.environ["LAKE"]
ROUTING = os.environ["ROUTING_TABLE"]
JUDGED = ("candidate", "release", "reason", "model_uri", "artefact_sha256", "metrics")
REMEMBERED = (*JUDGED, "p99_ms", "size_mb", "decisions")  # of a release, for whoever reckons what it costs and brings
# The same data and code give the same release again: one that serves, or soon will, or did last, stays as it is.
NOT_IN_USE = "attribute_not_exists(#item) OR NOT (#state IN (:deploying, :champion, :previous))"


class EvaluationMissing(Exception):
    """The Evaluate job wrote no evaluation.json."""


class EvaluationUnreadable(Exception):
    """The evaluation lacks what the gate judges by."""


def handler(event, context):
    return judge(
        event["run"],
        read=lambda key: objects.read_json(LAKE, key),
        write=lambda key, document: objects.write_json(LAKE, key, document),
        remember=remember_release,
        bill=monthly_bill,
        sign=signatures.sign,
    )


def judge(run: str, *, read, write, remember, bill, sign) -> dict:
    key = lake.run_key(run, "evaluation.json")
    evaluation = read(key)
    if evaluation is None:
        raise EvaluationMissing(f"{lake.uri(LAKE, key)} is not there; see the Evaluate job's log")
    verdict = verdict_on(evaluation, bill)
    judged = {name: verdict[name] for name in JUDGED}
    as_of = evaluation["window"]["as_of"]
    signature = sign(verdict["release"], verdict["artefact_sha256"])
    write(lake.run_key(run, "verdict.json"), {"run": run, **verdict})
    status = approval_status(verdict["verdict"], CONFIG.release.approve)
    known = {name: verdict[name] for name in REMEMBERED}
    remember({**known, "signature": signature, "state": STATES[status], "run": run, "as_of": as_of})
    return {
        "verdict": verdict["verdict"],
        **judged,
        "approval_status": status,
        "metadata": {**metadata(run, as_of, verdict), "signature": signature},
    }


def verdict_on(evaluation: dict, bill) -> dict:
    cost = bill() if CONFIG.budget.require_positive_value else None
    try:
        return gate.judge(
            CONFIG.benchmarks, evaluation, worth=worth_of(evaluation["candidates"], cost) if cost else None
        )
    except (KeyError, TypeError) as error:
        raise EvaluationUnreadable(f"evaluation.json lacks {error}; judge and image differ in version") from error


def worth_of(candidates: dict, cost: Projection) -> dict[str, dict]:
    """What each would bring a month, at the usage of the settings, against what the deployed stage costs at it."""
    return {
        name: worth.judge(
            CONFIG.business,
            measured["decisions"],
            predictions=cost.predictions,
            cost=cost,
            fallback_says_yes=CONTRACT.prior >= CONFIG.serving.threshold,
        )
        for name, measured in candidates.items()
    }


def monthly_bill() -> Projection:
    today = datetime.now(UTC).date().isoformat()
    return project(deployed(), month_of(CONFIG), read_prices(CONFIG.target.region), today=today)


def approval_status(verdict: str, approve: str) -> str:
    """As the Model Registry says it. A rejected release is nobody's to approve."""
    if verdict == "rejected":
        return "Rejected"
    return "Approved" if approve == "auto" else "PendingManualApproval"


STATES = {"Rejected": "rejected", "Approved": "approved", "PendingManualApproval": "waiting"}


def metadata(run: str, as_of: str, verdict: dict) -> dict:
    """What the Model Registry keeps of the release: text only, each at most 256 characters."""
    return {
        "release": verdict["release"],
        "run": run,
        "artefact_sha256": verdict["artefact_sha256"],
        "as_of": as_of,
        "candidate": verdict["candidate"],
        "contract_hash": CONTRACT.hash,
        "code_version": CODE_VERSION,
    }


def remember_release(release: dict) -> None:
    item = {**release_key_values(release["release"]), **release, "created_at": iso(datetime.now(UTC))}
    tables.put_if(
        ROUTING,
        item,
        condition=NOT_IN_USE,
        names={"#item": "item", "#state": "state"},
        given={f":{state}": state for state in ("deploying", "champion", "previous")},
    )


def release_key_values(release: str) -> dict:
    return {name: attribute["S"] for name, attribute in release_key(release).items()}
