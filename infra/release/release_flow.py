"""The Release flow: from an approved model package to the champion, or back to the previous state."""

from dataclasses import dataclass
from typing import Any

from constructs import Construct

from domain.config.sections import Config
from domain.records import RELEASE
from domain.release.state import ReleaseState, deploying_at_most
from infra.data.tables import ONLY_RELEASES, Tables
from infra.parts.flow import REASON, Flow, again, call, caught, choice, fail, invoke, jsonata
from infra.parts.function import Function
from infra.permissions import Many
from infra.release import hosting_states, replay_states, rollout_states
from infra.release.endpoints import LISTS, Endpoints
from infra.release.replay_states import Replay

MINUTE_S, HOUR_S = 60, 3600
LONGEST_ROLLOUT_S = 300 * 24 * HOUR_S  # of the year that an execution may last


@dataclass(frozen=True)
class Steps:
    """Functions that the flow calls."""

    verify_release: Function
    try_endpoint: Function
    replay: Replay | None  # where requests of the last days are scored again first
    advance: Function
    promote: Function
    retire: Function


class ReleaseFlow(Flow):
    """{model_package_arn} -> endpoint -> TryEndpoint -> Promote -> KeepPrevious -> Retire; undone if it fails
    before. Where [release] has a replay, a shadow or a canary, it goes through them between TryEndpoint and Promote;
    with an {experiment} it is compared with the champion there, and promoted only by a person.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        tables: Tables,
        endpoints: Endpoints,
        model_packages: Many,
        steps: Steps,
    ) -> None:
        self.tables, self.endpoints, self.steps = tables, endpoints, steps
        self.stuck_after_ms = int(deploying_at_most(config.release).total_seconds() * 1000)
        kept_s = config.release.keep_previous_minutes * MINUTE_S
        longest_s = kept_s + 4 * HOUR_S + LONGEST_ROLLOUT_S
        super().__init__(scope, id, config=config, states=self.states(kept_s), timeout_s=longest_s)
        tried = steps.try_endpoint if endpoints.used else None
        replaying = steps.replay.functions if steps.replay else []
        functions = (steps.verify_release, tried, *replaying, steps.advance, steps.promote, steps.retire)
        self.allow_invoke(*(function for function in functions if function))
        self.allow("dynamodb:UpdateItem", on=tables.routing.table_arn, conditions=ONLY_RELEASES)
        self.allow("sagemaker:DescribeModelPackage", on=model_packages)
        if endpoints.used:
            self.allow_hosting()
        if steps.replay:
            steps.replay.jobs.allow_run(self, "ProcessingJob")

    def states(self, kept_s: int) -> dict[str, Any]:
        return {
            **self.what_is_asked(),
            **(hosting_states.made(self.endpoints, next="TryEndpoint") if self.endpoints.used else {}),
            **self.what_is_tried(kept_s),
            **self.what_is_replayed(),
            **rollout_states.rollout(self.steps.advance),
            **self.what_is_undone(),
        }

    @property
    def after_trial(self) -> str:
        return "PlanReplay" if self.steps.replay else "Advance"

    def what_is_replayed(self) -> dict[str, Any]:
        """Requests of the last days, scored by it and by the champion before it answers anybody."""
        replay = self.steps.replay
        if replay is None:
            return {}
        return replay_states.replayed(replay, following="Advance")

    def what_is_asked(self) -> dict[str, Any]:
        """Return the states that check whether this release may be deployed by us now."""
        itself = f"($exists($experiment.before) and $experiment.before = '{ReleaseState.CHAMPION.value}')"
        return {
            "DescribePackage": self.describe_package(Next="IsApproved"),
            # who begins an experiment lets it answer a share, and approves no more than that
            "IsApproved": choice(
                (f"$approval = 'Approved' and $not({itself})", "MarkDeploying"),
                ("$exists($experiment.share) and $approval = 'PendingManualApproval'", "MarkDeploying"),
                (itself, "Advance"),  # it answers already, and nothing of it is made or undone
                otherwise="NotApproved",
            ),
            "NotApproved": {
                "Type": "Fail",
                "Error": "NotApproved",
                "Cause": jsonata("$model_package_arn & ' is ' & $approval & '; approve it in the registry first'"),
            },
            "MarkDeploying": self.mark_deploying(Next="VerifyRelease"),
            # in function mode, a function like predict has answered the golden rows by then
            "VerifyRelease": self.verify(Next="FindEndpoint" if self.endpoints.used else self.after_trial),
        }

    def what_is_tried(self, kept_s: int) -> dict[str, Any]:
        """Return the states that try the golden rows, make the release champion, and keep the previous one for a
        rollback.
        """
        tried = {"TryEndpoint": self.try_the_endpoint(Next=self.after_trial)} if self.endpoints.used else {}
        return {
            **tried,
            "Promote": self.make_champion(Next="KeepPrevious"),
            "KeepPrevious": {"Type": "Wait", "Seconds": kept_s, "Next": "Retire"},
            "Retire": invoke(
                self.steps.retire,
                {},
                catch=(caught("Failed"),),  # the release answers already: nothing to undo
                Output={"release": jsonata("$release"), "removed": jsonata("$states.result.Payload.removed")},
                End=True,
            ),
        }

    def what_is_undone(self) -> dict[str, Any]:
        """Return the states after a failure before Promote: remove what was created, and record the reason."""
        made = {
            "Undo": choice(("$made_here", "FindWhatIsLeft"), otherwise="HowItEnded"),
            **hosting_states.removed(next="HowItEnded"),
        }
        return {
            **(made if self.endpoints.used else {"Undo": {"Type": "Pass", "Next": "HowItEnded"}}),
            "HowItEnded": choice(("$ended", "GaveWay"), otherwise="RecordFailure"),
            "GaveWay": {"Type": "Succeed", "Output": jsonata("$error")},
            "RecordFailure": self.record_failure(
                REASON, catch=({"ErrorEquals": ["States.ALL"], "Next": "RecordError"},), Next="Failed"
            ),
            # a cause that cannot be read must not leave the release marked as deploying
            "RecordError": self.record_failure("$error.Error", catch=(caught("Failed"),), Next="Failed"),
            "Failed": fail(),
            "DoneByAnother": {"Type": "Succeed"},
        }

    def describe_package(self, **fields: Any) -> dict[str, Any]:
        package = "$states.result"
        assign = {
            "model_package_arn": jsonata("$states.input.model_package_arn"),
            "approval": jsonata(f"{package}.ModelApprovalStatus"),
            "reason": jsonata(
                f"$exists({package}.ModelPackageDescription) ? {package}.ModelPackageDescription : 'approved'"
            ),
            "release": jsonata(f"{package}.CustomerMetadataProperties.release"),
            "run": jsonata(f"{package}.CustomerMetadataProperties.run"),
            "endpoint": jsonata(f"'{self.endpoints.prefix}' & {package}.CustomerMetadataProperties.release"),
            "image": jsonata(f"{package}.InferenceSpecification.Containers[0].Image"),
            "artefact": jsonata(f"{package}.InferenceSpecification.Containers[0].ModelDataUrl"),
            # null if it is missing, so that the error names it
            "signed": jsonata(
                f"$merge([{{'artefact_sha256': null, 'signature': null}}, {package}.CustomerMetadataProperties])"
            ),
            "experiment": jsonata("$exists($states.input.experiment) ? $states.input.experiment : {}"),
            "made_here": False,
            "ended": False,
            "looks": 0,
            "undo_looks": 0,
            "why": "",
        }
        package_name = {"ModelPackageName": jsonata("$states.input.model_package_arn")}
        return call(
            "aws-sdk:sagemaker:describeModelPackage", package_name, Assign=assign, catch=(caught("Failed"),), **fields
        )

    def mark_deploying(self, **fields: Any) -> dict[str, Any]:
        """Mark the release, so that only one execution deploys it: SageMaker sends some events twice.

        A champion may be deployed again, since its endpoint may have been deleted with a stack. A release that was
        rolled back does not return.
        """
        now = "$states.context.Execution.StartTime"
        values = {
            ":deploying": ReleaseState.DEPLOYING.value,
            ":canary": ReleaseState.CANARY.value,
            ":challenger": ReleaseState.CHALLENGER.value,
            ":rolled_back": ReleaseState.ROLLED_BACK.value,
            ":now": jsonata(now),
            ":stuck": jsonata(f"$fromMillis($toMillis({now}) - {self.stuck_after_ms})"),
        }
        return self.update_release(
            "SET #state = :deploying, deploying_since = :now",
            values,
            ConditionExpression="attribute_not_exists(#state) "
            "OR NOT #state IN (:deploying, :canary, :challenger, :rolled_back) "
            "OR (#state = :deploying AND deploying_since < :stuck)",
            catch=(caught("DoneByAnother", "DynamoDB.ConditionalCheckFailedException"), caught("Failed")),
            **fields,
        )

    def verify(self, **fields: Any) -> dict[str, Any]:
        package = {
            "release": jsonata("$release"),
            "artefact_sha256": jsonata("$signed.artefact_sha256"),
            "signature": jsonata("$signed.signature"),
            "model_uri": jsonata("$artefact"),
        }
        assign = {"artefact_sha256": jsonata("$states.result.Payload.artefact_sha256")}
        return invoke(self.steps.verify_release, package, catch=(caught("Undo"),), Assign=assign, **fields)

    def record_failure(self, reason: str, **fields: Any) -> dict[str, Any]:
        """A release of which an experiment failed to begin is what it was before."""
        update = "SET #state = :failed, failure = :reason"
        state = jsonata(f"$exists($experiment.before) ? $experiment.before : '{ReleaseState.FAILED.value}'")
        return self.update_release(update, {":failed": state, ":reason": jsonata(reason)}, **fields)

    def update_release(
        self,
        update: str,
        values: dict[str, Any],
        *,
        catch: tuple[dict[str, Any], ...],
        ConditionExpression: str | None = None,  # noqa: N803 - the name that DynamoDB gives it
        **fields: Any,
    ) -> dict[str, Any]:
        arguments = {
            "TableName": self.tables.routing.table_name,
            "Key": {"item": {"S": jsonata(f"'{RELEASE}' & $release")}},
            "UpdateExpression": update,
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
            **({"ConditionExpression": ConditionExpression} if ConditionExpression else {}),
        }
        return call("dynamodb:updateItem", arguments, catch=catch, **fields)

    def try_the_endpoint(self, **fields: Any) -> dict[str, Any]:
        """Return the task that tries the endpoint, again and again while a serverless one loads its model for
        minutes.
        """
        asked = {"endpoint": jsonata("$endpoint"), "run": jsonata("$run"), "release": jsonata("$release")}
        patient = (again(["EndpointNotReady"], seconds=10, times=8),)
        return invoke(self.steps.try_endpoint, asked, retry=patient, catch=(caught("Undo"),), **fields)

    def make_champion(self, **fields: Any) -> dict[str, Any]:
        """Return the task that makes the release champion; if the routing was changed meanwhile, it is read again
        first.
        """
        asked = {
            "release": jsonata("$release"),
            "endpoint": jsonata("$endpoint"),
            "reason": jsonata("$reason"),
            "experiment": jsonata("$experiment"),
        }
        patient = (again(["RoutingChanged"], seconds=1, times=6),)
        return invoke(self.steps.promote, asked, retry=patient, catch=(caught("StepBack"),), **fields)

    def allow_hosting(self) -> None:
        every = self.endpoints.every
        self.allow("sagemaker:ListEndpoints", on=LISTS)
        self.allow("sagemaker:CreateModel", "sagemaker:DeleteModel", on=every("model"))
        self.allow("sagemaker:CreateEndpointConfig", "sagemaker:DeleteEndpointConfig", on=every("endpoint-config"))
        self.allow("sagemaker:CreateEndpoint", on=every("endpoint", "endpoint-config"))
        self.allow("sagemaker:DescribeEndpoint", "sagemaker:DeleteEndpoint", on=every("endpoint"))
        self.allow("sagemaker:AddTags", on=every("model", "endpoint-config", "endpoint"))
        self.allow_pass(self.endpoints.role)
        if self.endpoints.always_on:
            self.endpoints.allow_scaling(self)
