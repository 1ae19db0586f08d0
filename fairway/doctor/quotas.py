"""Compare the account's quotas with what the stage needs."""

from collections.abc import Iterable
from typing import Any

from domain.quotas import Need, Verdict, memory_problem, needs, verdict
from fairway.deploy.target import Target
from fairway.doctor.finding import Finding, State

CHECK = "quota"
STATES = {Verdict.ENOUGH: State.FINE, Verdict.WAITS: State.WARNING, Verdict.FAILS: State.PROBLEM}


def quotas(target: Target) -> list[Finding]:
    """Return one finding for each quota that the settings need, and one for memory beyond a new account's."""
    wanted = needs(target.config)
    listed = {service: _listed(target, service) for service in dict.fromkeys(need.service for need in wanted)}
    found = [_finding(need, listed[need.service].get(need.quota), target.region) for need in wanted]
    memory = memory_problem(target.config)
    page = "a support case for SageMaker, or a smaller serving.memory_mb"
    return [*found, *([Finding(CHECK, State.WARNING, memory, page)] if memory else [])]


def _listed(target: Target, service: str) -> dict[str, dict[str, Any]]:
    """Return {name: quota} of the account."""
    pages: Iterable[dict[str, Any]] = (
        target.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode=service)
    )
    return {quota["QuotaName"]: quota for page in pages for quota in page["Quotas"]}


def _finding(need: Need, quota: dict[str, Any] | None, region: str) -> Finding:
    if quota is None:
        message = f"{need.quota}: {need.wanted} needed; Service Quotas does not list it in {region}"
        return Finding(CHECK, State.UNKNOWN, message, f"https://console.aws.amazon.com/servicequotas ({need.service})")
    judged = verdict(need, quota["Value"])
    message = f"{need.quota} = {quota['Value']:g}: {need.wanted} needed ({need.why})"
    if judged is Verdict.WAITS:
        message += f"; with at least {need.least} it only takes longer"
    if judged is Verdict.ENOUGH:
        return Finding(CHECK, State.FINE, message)
    ask = f"--service-code {need.service} --quota-code {quota['QuotaCode']} --desired-value {need.wanted}"
    mend = f"`aws service-quotas request-service-quota-increase {ask} --region {region}`"
    return Finding(CHECK, STATES[judged], message, mend)
