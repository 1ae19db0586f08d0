"""Checks of the account, by read-only calls with the caller's credentials."""

from typing import Any

from domain.names import COST_TAG
from fairway.deploy.image import MANIFEST
from fairway.deploy.target import Target, bootstrap_version
from fairway.doctor.finding import Finding, State

NEEDED_BOOTSTRAP = 6  # of the bootstrap stack, from the templates' rule CheckBootstrapVersion
GITHUB = "token.actions.githubusercontent.com"
MOST_NAMED = 5  # images


def bootstrapped(target: Target) -> list[Finding]:
    """Check the CDK's bootstrap stack in the region."""
    version = bootstrap_version(target)
    where = f"{target.region} of account {target.account}"
    if version is None:
        message = f"{where} is not prepared for the CDK"
    elif version < NEEDED_BOOTSTRAP:
        message = f"{where}: bootstrap version = {version}: must be at least {NEEDED_BOOTSTRAP}"
    else:
        return [Finding("bootstrap", State.FINE, f"{where} is prepared for the CDK, version {version}")]
    return [Finding("bootstrap", State.PROBLEM, message, "`fairway bootstrap`")]


def cost_tag(target: Target) -> list[Finding]:
    """Check that the tag is active by which the budget knows the cost of a stage."""
    found = target.client("ce").list_cost_allocation_tags(TagKeys=[COST_TAG])["CostAllocationTags"]
    if found and found[0]["Status"] == "Active":
        return [Finding("cost tag", State.FINE, f"the cost allocation tag {COST_TAG} is active")]
    if not found:
        message = f"the cost allocation tag {COST_TAG} does not exist yet: it appears a day after the first deployment"
    else:
        message = f"the cost allocation tag {COST_TAG} is not active: the budget stays at $0 and never warns"
    status = f"--cost-allocation-tags-status TagKey={COST_TAG},Status=Active"
    mend = f"`aws ce update-cost-allocation-tags-status {status}`, in the account that pays"
    return [Finding("cost tag", State.WARNING, message, mend)]


def email(target: Target) -> list[Finding]:
    """Check that somebody receives the alarms: an address is set and confirmed."""
    address = target.config.monitoring.email
    if not address:
        mend = f"monitoring.email in [stages.{target.config.stage}] of fairway.toml"
        return [Finding("email", State.WARNING, "monitoring.email is empty: nobody receives an alarm", mend)]
    sns, topic = target.client("sns"), _topic(target)
    try:
        pages = list(sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic))
    except sns.exceptions.NotFoundException:
        return [Finding("email", State.FINE, f"AWS asks {address} once to confirm, after the first deployment")]
    arns = [each["SubscriptionArn"] for page in pages for each in page["Subscriptions"] if each["Endpoint"] == address]
    if any(arn.startswith("arn:") for arn in arns):
        return [Finding("email", State.FINE, f"{address} is confirmed")]
    again = f"aws sns subscribe --protocol email --notification-endpoint {address} --topic-arn {topic}"
    message = f"{address} has not confirmed: it receives no alarms"
    return [Finding("email", State.PROBLEM, message, f"the link in the mail; `{again}` sends it again")]


def _topic(target: Target) -> str:
    partition = target.session.get_partition_for_region(target.region)
    return f"arn:{partition}:sns:{target.region}:{target.account}:{target.config.prefix}-alarms"


def images(target: Target) -> list[Finding]:
    """Check that each image of the repository has the media type that SageMaker accepts."""
    ecr, repository = target.client("ecr"), target.config.prefix
    try:
        pages = list(ecr.get_paginator("describe_images").paginate(repositoryName=repository))
    except ecr.exceptions.RepositoryNotFoundException:
        return [Finding("image", State.FINE, f"no repository {repository} yet: the first deployment makes it")]
    wrong = [
        each
        for page in pages
        for each in page["imageDetails"]
        if each.get("imageTags") and each.get("imageManifestMediaType", MANIFEST) != MANIFEST
    ]
    if not wrong:
        return [Finding("image", State.FINE, f"every image of {repository} has a media type that SageMaker accepts")]
    return [_refused(repository, each, target.region) for each in wrong[:MOST_NAMED]]


def _refused(repository: str, found: dict[str, Any], region: str) -> Finding:
    tag, kind = found["imageTags"][0], found["imageManifestMediaType"]
    message = f"image {repository}:{tag}: manifest media type = {kind}: must be {MANIFEST}"
    delete = f"aws ecr batch-delete-image --repository-name {repository} --image-ids imageTag={tag} --region {region}"
    return Finding("image", State.PROBLEM, message, f"`{delete}`, then `fairway deploy`")


def github(target: Target) -> list[Finding]:
    """Check whether the account has GitHub's identity provider for deployments from CI, which it may have only once."""
    listed = target.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
    arn = next((each["Arn"] for each in listed if each["Arn"].endswith(f"/{GITHUB}")), None)
    if arn is None:
        message = "no identity provider of GitHub yet: .github/deploy-role.yaml creates it with the first role"
        return [Finding("github", State.FINE, message)]
    message = f"GitHub's identity provider exists: pass .github/deploy-role.yaml the parameter Provider={arn}"
    return [Finding("github", State.FINE, message)]
