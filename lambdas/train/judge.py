"""Train, after Evaluate: the verdict under the agreed benchmarks, for people and for the Model Registry."""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypedDict

from domain import lake
from domain.config.sections import Release
from domain.contract.packed import packed
from domain.contract.schema import Contract, from_dict
from domain.money import worth
from domain.money.prices import read_prices
from domain.money.projection import Projection, project
from domain.money.usage import month_of
from domain.names import Metric
from domain.packed import packed_json
from domain.records import from_item, release_key, to_item
from domain.release import gate
from domain.release.evaluation import Candidate, Evaluation
from domain.release.measurement import measure_champion
from domain.release.state import IN_USE, Measurement, ReleaseItem, ReleaseState, Verdict
from domain.request.answers import fallback_answer
from domain.timestamps import iso
from domain.train.coverage import Coverage
from lambdas import metrics
from lambdas.aws import objects, signatures, tables
from lambdas.aws.deployed import deployed
from lambdas.settings import CODE_VERSION, CONFIG, CONTRACT

LAKE = os.environ["LAKE"]
ROUTING = os.environ["ROUTING_TABLE"]
# The same data and code give the same release again; one that answers, soon will, or did last, stays as it is.
NOT_IN_USE = f"attribute_not_exists(#item) OR NOT (#state IN ({', '.join(f':{state}' for state in IN_USE)}))"
# A run about an earlier time is not newer: the champion has learned from rows of it.
IS_NEWER = "attribute_exists(#item) AND as_of < :as_of AND (attribute_not_exists(newest) OR newest.as_of <= :as_of)"


class Approval(StrEnum):
    """Status of a model package in the Model Registry."""

    APPROVED = "Approved"
    PENDING = "PendingManualApproval"
    REJECTED = "Rejected"


STATES = {
    Approval.APPROVED: ReleaseState.APPROVED,
    Approval.PENDING: ReleaseState.WAITING,
    Approval.REJECTED: ReleaseState.REJECTED,
}


class Judged(TypedDict):
    """Values that the next states of the flow use; `metadata` is what the Model Registry stores for the release."""

    verdict: str  # a Verdict
    candidate: str
    release: str
    reason: str
    model_uri: str
    artefact_sha256: str
    metrics: dict[str, float]
    approval_status: str  # an Approval
    metadata: dict[str, str]


class EvaluationMissing(Exception):
    """Report that the Evaluate job wrote no evaluation.json."""


class EvaluationUnreadable(Exception):
    """Report that the evaluation lacks a value that the gate needs."""


def handler(event: dict[str, str], context: object) -> Judged:
    return judge(
        event["run"],
        read=lambda key: objects.read_json(LAKE, key),
        write=lambda key, document: objects.write_json(LAKE, key, document),
        remember=_remember_release,
        measure=_remember_measurement,
        bill=_monthly_bill,
        sign=signatures.sign,
    )


def judge(
    run: str,
    *,
    read: Callable[[str], Any],
    write: Callable[[str, object], None],
    remember: Callable[[ReleaseItem], None],
    measure: Callable[[Measurement, str], None],
    bill: Callable[[], Projection],
    sign: Callable[[str, str], str],
) -> Judged:
    """Judge the run's evaluation, sign its release, and store both, and the measurement of the champion.

    `read` and `write` take keys of the lake, `measure` a measurement and the confidence table made with it. Raises
    EvaluationMissing or EvaluationUnreadable.
    """
    key = lake.run_key(run, "evaluation.json")
    evaluation: Evaluation | None = read(key)
    if evaluation is None:
        raise EvaluationMissing(f"{lake.uri(LAKE, key)} does not exist; see the Evaluate job's log")
    judgement = verdict_on(evaluation, bill)
    made_under = _contract_of(evaluation, judgement["candidate"])
    as_of = evaluation["window"]["as_of"]
    signature = sign(judgement["release"], judgement["artefact_sha256"])
    status = approval_status(judgement["verdict"], CONFIG.release, imported=evaluation["imported"])
    write(lake.run_key(run, "verdict.json"), {"run": run, **judgement})
    remember(
        {
            **_release_item(run, as_of, judgement, signature, STATES[status], made_under),
            "imported": evaluation["imported"],
            "confidence": _confidence_of(run, judgement["candidate"], read),
        }
    )
    measured = measure_champion(CONFIG.benchmarks, evaluation, run=run)
    if measured:
        measure(measured, _confidence_of(run, measured["release"], read))
        print(_broken_benchmarks(measured))
    if evaluation["coverage"]:
        print(_age_of_rows(evaluation["coverage"]))
    return {
        "verdict": judgement["verdict"],
        "candidate": judgement["candidate"],
        "release": judgement["release"],
        "reason": judgement["reason"],
        "model_uri": judgement["model_uri"],
        "artefact_sha256": judgement["artefact_sha256"],
        "metrics": judgement["metrics"],
        "approval_status": status,
        "metadata": _metadata(run, as_of, judgement, signature, made_under),
    }


def verdict_on(evaluation: Evaluation, bill: Callable[[], Projection]) -> gate.Judgement:
    """Ask the gate; `bill` is called only if settings require a model to pay for itself."""
    cost = bill() if CONFIG.budget.require_positive_value else None
    try:
        worth = _worth_of(evaluation["candidates"], cost) if cost else None
        return gate.judge(
            CONFIG.benchmarks,
            evaluation,
            worth=worth,
            max_age_days=CONFIG.data.max_age_days,
            in_function=CONFIG.serving.mode == "function",
        )
    except (KeyError, TypeError) as error:
        raise EvaluationUnreadable(f"evaluation.json lacks {error}; judge and image differ in version") from error


def _contract_of(evaluation: Evaluation, candidate: str) -> Contract:
    """Read the contract in the artefact; another may have been deployed since the run began."""
    try:
        return from_dict(evaluation["candidates"][candidate]["contract"])
    except (KeyError, TypeError) as error:
        raise EvaluationUnreadable(f"evaluation.json lacks {error}; judge and image differ in version") from error


def _confidence_of(run: str, model: str, read: Callable[[str], Any]) -> str:
    """Read the confidence table of a candidate or the champion, by which `predict` says how sure an answer is."""
    key = lake.confidence_key(run, model)
    table = read(key)
    if table is None:
        raise EvaluationUnreadable(f"{key} is missing; judge and image differ in version")
    return packed_json(table)


def _worth_of(candidates: Mapping[str, Candidate], cost: Projection) -> gate.Worths:
    """Compare the monthly value of each model, at the usage of the settings, with the cost of the deployed stage."""
    says_yes = fallback_answer(CONTRACT, threshold=CONFIG.serving.threshold)["prediction"] is True
    return {
        name: worth.judge(
            CONFIG.business,
            measured["decisions"],
            predictions=cost.predictions,
            cost=cost,
            fallback_says_yes=says_yes,
            evidence=worth.Evidence.HELD_OUT,
        )
        for name, measured in candidates.items()
    }


def _monthly_bill() -> Projection:
    today = datetime.now(UTC).date().isoformat()
    return project(deployed(), month_of(CONFIG), read_prices(CONFIG.target.region), today=today)


def approval_status(verdict: str, release: Release, *, imported: bool) -> Approval:
    """Convert a verdict to a status.

    Rejected releases cannot be approved manually. An imported model may have been trained on the rows it was judged on,
    so a person approves it unless settings say otherwise.
    """
    if verdict == Verdict.REJECTED:
        return Approval.REJECTED
    needs_a_person = "manual" in (release.approve, release.approve_imported if imported else "auto")
    return Approval.PENDING if needs_a_person else Approval.APPROVED


def _release_item(
    run: str, as_of: str, judgement: gate.Judgement, signature: str, state: ReleaseState, made_under: Contract
) -> ReleaseItem:
    """Make the release's item, with the figures from which its cost and value are projected."""
    return {
        "release": judgement["release"],
        "state": state,
        "run": run,
        "candidate": judgement["candidate"],
        "as_of": as_of,
        "reason": judgement["reason"],
        "why": judgement["why"],
        "answers": judgement["answers"],
        "model_uri": judgement["model_uri"],
        "artefact_sha256": judgement["artefact_sha256"],
        "signature": signature,
        "metrics": judgement["metrics"],
        "p99_ms": judgement["p99_ms"],
        "size_mb": judgement["size_mb"],
        "decisions": judgement["decisions"],
        "contract": packed(made_under),
    }


def _broken_benchmarks(measured: Measurement) -> str:
    """Write the metric that an alarm watches, with the benchmarks in words for the log."""
    counted: dict[str, float] = {Metric.BROKEN_BENCHMARKS: len(measured["broken"])}
    return metrics.line(project=CONFIG.project.name, stage=CONFIG.stage, measured=counted, broken=measured["broken"])


def _age_of_rows(coverage: Coverage) -> str:
    """Write the metric that an alarm watches, with the days without rows for the log."""
    aged: dict[str, float] = {Metric.DATA_AGE_DAYS: coverage["age_days"]}
    return metrics.line(project=CONFIG.project.name, stage=CONFIG.stage, measured=aged, missing=coverage["missing"])


def _metadata(run: str, as_of: str, judgement: gate.Judgement, signature: str, made_under: Contract) -> dict[str, str]:
    """Make the metadata of the model package: text only, each at most 256 characters."""
    return {
        "release": judgement["release"],
        "run": run,
        "artefact_sha256": judgement["artefact_sha256"],
        "as_of": as_of,
        "candidate": judgement["candidate"],
        "contract_hash": made_under.hash,
        "code_version": CODE_VERSION,
        "signature": signature,
    }


def _remember_release(release: ReleaseItem) -> None:
    item: dict[str, Any] = {
        **from_item(release_key(release["release"])),
        **release,
        "created_at": iso(datetime.now(UTC)),
    }
    tables.put_if(
        ROUTING,
        item,
        condition=NOT_IN_USE,
        names={"#item": "item", "#state": "state"},
        given={f":{state}": state for state in IN_USE},
    )


def _remember_measurement(measured: Measurement, confidence: str) -> None:
    """Store the newest measurement in the champion's item, and how sure it is on these rows, unless a run about a later
    time was faster.
    """
    tables.held(
        "UpdateItem",
        TableName=ROUTING,
        Key=release_key(measured["release"]),
        UpdateExpression="SET newest = :newest, confidence = :confidence",
        ConditionExpression=IS_NEWER,
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues=to_item(
            {":newest": measured, ":confidence": confidence, ":as_of": measured["as_of"]}
        ),
    )
