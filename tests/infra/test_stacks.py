"""What is deployed: kept safe, kept private, kept for as long as it should be, and paid for knowingly."""

import ast
import json
import re
from pathlib import Path

import pytest
from aws_cdk import App

from domain.config.sections import Data, read_config
from domain.contract.file import read_contract
from domain.fingerprints import fingerprints
from domain.names import Metric
from infra.data.lake import lifecycle_rules
from infra.stacks import DataStack
from local.metric_math import evaluate
from tests.infra.conftest import ROOT, template
from tests.infra.reading import imported, listed, of_type, short, text

TABLES = {
    "flights-prod-predictions": (["id"], "expires_at"),
    "flights-prod-outcomes": (["entity_id", "event_time"], None),
    "flights-prod-routing": (["item"], None),
    "flights-prod-runs": (["kind", "run"], None),
    "flights-prod-evidence": (["rollout", "item"], "expires_at"),
}


def resources(*templates: dict):
    return [(id, found) for each in templates for id, found in each["Resources"].items()]


# ---- what must survive


def test_the_lake_is_versioned_encrypted_private_and_tidied(data):
    (lake,) = of_type(data, "AWS::S3::Bucket").values()
    assert lake["VersioningConfiguration"] == {"Status": "Enabled"}
    assert lake["BucketEncryption"]["ServerSideEncryptionConfiguration"] == [
        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    ]
    assert set(lake["PublicAccessBlockConfiguration"].values()) == {True}
    (policy,) = of_type(data, "AWS::S3::BucketPolicy").values()
    (only_tls,) = policy["PolicyDocument"]["Statement"]
    assert (only_tls["Effect"], only_tls["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_data_ages_by_its_class(data):
    (lake,) = of_type(data, "AWS::S3::Bucket").values()
    rules = {rule["Id"]: rule for rule in lake["LifecycleConfiguration"]["Rules"]}
    cold = {"Transitions": [{"StorageClass": "GLACIER_IR", "TransitionInDays": 90}], "ObjectSizeGreaterThan": 1048576}
    assert {id: {name: rule[name] for name in rule if name not in ("Id", "Status")} for id, rule in rules.items()} == {
        **{
            f"{folder}-glacier-ir": {"Prefix": f"{folder}/", **cold}
            for folder in ("rows", "quarantine", "captured", "batch", "artefacts")
        },
        "features-end": {"Prefix": "features/", "ExpirationInDays": 90},
        "scratch-end": {"Prefix": "scratch/", "ExpirationInDays": 1},
        "scratch-old-versions": {"Prefix": "scratch/", "NoncurrentVersionExpiration": {"NoncurrentDays": 1}},
        "old-versions": {
            "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
            "ExpiredObjectDeleteMarker": True,
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        },
    }


def test_artefacts_are_never_archived_or_deleted_and_a_window_is_never_cold():
    rules = lifecycle_rules(Data(window_days=365, archive_days=500, delete_days=700))
    ages = {(rule.prefix, days_of(rule)) for rule in rules if rule.prefix}
    kept = ("rows/", "quarantine/", "captured/", "batch/")
    assert ages == {
        *((folder, 365) for folder in (*kept, "artefacts/", "features/")),
        *((folder, days) for folder in kept for days in (500, 700)),
        ("scratch/", 1),
    }
    assert [rule.id for rule in lifecycle_rules(Data(hot_days=0))] == [
        "scratch-end",
        "scratch-old-versions",
        "old-versions",
    ]


def days_of(rule) -> float:
    spans = [move.transition_after for move in rule.transitions or ()] + [
        rule.expiration,
        rule.noncurrent_version_expiration,
    ]
    return next(span.to_days() for span in spans if span)


def test_the_tables_have_the_keys_of_records_py_and_can_be_restored(data):
    tables = {table["TableName"]: table for table in of_type(data, "AWS::DynamoDB::GlobalTable").values()}
    assert {
        name: (
            [key["AttributeName"] for key in table["KeySchema"]],
            table.get("TimeToLiveSpecification", {}).get("AttributeName"),
        )
        for name, table in tables.items()
    } == TABLES
    for name, table in tables.items():
        (replica,) = table["Replicas"]
        assert table["BillingMode"] == "PAY_PER_REQUEST", name
        assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}, name
        assert replica["DeletionProtectionEnabled"] is True, name
        assert replica["Tags"] == [{"Key": "fairway", "Value": "flights-prod"}], (
            name
        )  # the app's tags do not reach replicas
    (by_entity,) = tables["flights-prod-predictions"]["GlobalSecondaryIndexes"]
    assert [key["AttributeName"] for key in by_entity["KeySchema"]] == ["entity_id", "made_at"]
    assert (by_entity["IndexName"], by_entity["Projection"]) == ("by_entity", {"ProjectionType": "ALL"})


def test_images_cannot_be_changed_and_are_scanned(data):
    (images,) = of_type(data, "AWS::ECR::Repository").values()
    assert (images["RepositoryName"], images["ImageTagMutability"]) == ("flights-prod", "IMMUTABLE")
    assert images["ImageScanningConfiguration"] == {"ScanOnPush": True}
    rules = json.loads(images["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert [rule["selection"]["tagStatus"] for rule in rules] == ["untagged", "any"]


def test_the_signing_key_signs_and_verifies_and_does_nothing_else(data):
    (key,) = of_type(data, "AWS::KMS::Key").values()
    assert (key["KeySpec"], key["KeyUsage"], key["PendingWindowInDays"]) == ("ECC_NIST_P256", "SIGN_VERIFY", 30)
    manage, use = key["KeyPolicy"]["Statement"]
    assert use["Action"] == ["kms:Sign", "kms:Verify"]
    assert not any(action.startswith(("kms:Sign", "kms:*", "kms:Create")) for action in manage["Action"])


def test_what_must_survive_survives_in_production_and_goes_with_the_laptop(data, local):
    kept = (
        "AWS::S3::Bucket",
        "AWS::DynamoDB::GlobalTable",
        "AWS::ECR::Repository",
        "AWS::SageMaker::ModelPackageGroup",
        "AWS::KMS::Key",
    )

    def policies(template: dict) -> set:
        return {
            (found["DeletionPolicy"], found["UpdateReplacePolicy"])
            for found in template["Resources"].values()
            if found["Type"] in kept
        }

    assert policies(data) == {("RetainExceptOnCreate", "Retain")}
    assert policies(template(local, "flights-local-data")) == {("Delete", "Delete")}


def test_who_may_publish_alarms_is_this_account_over_tls(data, always_on):
    (policy,) = of_type(data, "AWS::SNS::TopicPolicy").values()
    only_tls, publishers, events = policy["PolicyDocument"]["Statement"]
    assert (only_tls["Effect"], only_tls["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert publishers["Principal"]["Service"] == [
        "budgets.amazonaws.com",
        "cloudwatch.amazonaws.com",
        "costalerts.amazonaws.com",
    ]
    assert publishers["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    # "You can't use Condition blocks in Amazon SNS topic policies for EventBridge": it would be denied
    assert (events["Principal"], events.get("Condition")) == ({"Service": "events.amazonaws.com"}, None)
    assert not of_type(data, "AWS::SNS::Subscription")
    (email,) = of_type(always_on["data"], "AWS::SNS::Subscription").values()
    assert (email["Protocol"], email["Endpoint"]) == ("email", "ops@example.com")


HELD = {
    "LakeBucketB1D32E10",
    "TablesPredictions2A11ED16",
    "TablesOutcomes3BBB356F",
    "TablesRouting5D615919",
    "TablesRunsB40D77DF",
    "RegistryImages57582A22",
    "RegistrySigningKey3C9D303C",
    "RegistryModelPackages6C332CB5",
}


def test_what_holds_data_keeps_its_logical_id_or_an_update_would_put_an_empty_one_in_its_place(data):
    assert data["Resources"].keys() >= HELD


def test_what_the_service_may_import_stays_exported_whatever_it_imports(data, tmp_path):
    """A data stack is deployed before the service that takes less of it, and CloudFormation refuses to end a used
    export.
    """
    app = App(outdir=str(tmp_path), analytics_reporting=False)
    config = read_config(ROOT, "prod")
    DataStack(app, "flights-prod-data", config=config)
    app.synth()
    alone = template(tmp_path, "flights-prod-data")
    assert alone["Outputs"].keys() == data["Outputs"].keys()


# ---- what can be replaced


def test_every_log_is_kept_for_as_long_as_the_settings_say(service):
    groups = of_type(service, "AWS::Logs::LogGroup")
    assert {group["RetentionInDays"] for group in groups.values()} == {30}
    assert {name.rpartition("/")[2] for name in (group["LogGroupName"] for group in groups.values())} == {
        *(f"flights-prod-{verb}" for verb in verbs() - OF_A_ROLLOUT),
        *(f"flights-prod-{flow}" for flow in ("train", "release", "batch")),
        "flights-prod",  # the API's access log
    }


OF_A_ROLLOUT = {"advance"}  # the reference project sets no release.canary


def verbs() -> set[str]:
    """The modules of lambdas/ that are functions."""
    return {file.stem for file in (ROOT / "lambdas").rglob("*.py") if "\ndef handler(" in file.read_text()}


def functions(service: dict) -> dict[str, dict]:
    return {each["Handler"].split(".")[-2]: each for each in of_type(service, "AWS::Lambda::Function").values()}


def test_every_handler_is_a_function_and_every_function_a_handler(service, always_on):
    found = functions(service)
    assert found.keys() == verbs() - OF_A_ROLLOUT
    assert functions(always_on["service"]).keys() == verbs()
    for verb, properties in found.items():
        assert properties["FunctionName"] == f"flights-prod-{verb}"
        assert (properties["Runtime"], properties["Architectures"]) == ("python3.13", ["arm64"])
        assert properties["TracingConfig"] == {"Mode": "Active"}
        assert 128 <= properties["MemorySize"] <= 1024 and 20 <= properties["Timeout"] <= 900, verb


def test_a_function_is_given_every_variable_that_it_reads_and_no_other(service):
    for verb, properties in functions(service).items():
        given = set(properties["Environment"]["Variables"])
        assert given == variables_read(properties["Handler"].removesuffix(".handler")), verb


def variables_read(module: str, seen: frozenset = frozenset()) -> set[str]:
    """Of os.environ, by the module and by those of lambdas/ that it imports; the runtime gives its own itself."""
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
    found, imported_modules = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            found.add(name_of(node.slice))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("os.environ.get", "os.getenv"):
            found.add(name_of(node.args[0]))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lambdas"):
            imported_modules |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    for name in imported_modules - seen:
        if (ROOT / f"{name.replace('.', '/')}.py").is_file():
            found |= variables_read(name, seen | imported_modules)
    return {name for name in found if not name.startswith(("LAMBDA_", "AWS_"))}


def name_of(node: ast.expr) -> str:
    """A variable's name as it is written; of one that is put together, e.g. f"AWS_ENDPOINT_URL_{service}", how it
    begins.
    """
    return ast.literal_eval(node.values[0] if isinstance(node, ast.JoinedStr) else node)


LONGEST_NAMES = {
    "AWS::Lambda::Function": ("FunctionName", 64),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", 80),
    "AWS::CloudWatch::Alarm": ("AlarmName", 255),
    "AWS::CloudWatch::Dashboard": ("DashboardName", 255),
    "AWS::Logs::LogGroup": ("LogGroupName", 512),
    "AWS::ApiGatewayV2::Api": ("Name", 128),
}


@pytest.mark.parametrize("kind", LONGEST_NAMES)
def test_the_longest_names_are_not_too_long_for_their_services(longest, kind):
    field, most = LONGEST_NAMES[kind]
    names = [properties[field] for properties in of_type(longest, kind).values()]
    assert names and max(map(len, names)) <= most


def test_the_api_signs_everything_and_has_these_routes(service):
    routes = of_type(service, "AWS::ApiGatewayV2::Route").values()
    assert {route["RouteKey"]: route["AuthorizationType"] for route in routes} == dict.fromkeys(
        ("POST /predictions", "GET /predictions", "GET /predictions/{id}", "POST /outcomes"), "AWS_IAM"
    )
    (stage,) = of_type(service, "AWS::ApiGatewayV2::Stage").values()
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 200, "ThrottlingBurstLimit": 400}
    assert json.loads(stage["AccessLogSettings"]["Format"])["identity.userArn"] == "$context.identity.userArn"


def test_the_clock_starts_flows_and_says_which_moment_it_is(local):
    service = template(local, "flights-local-service")
    schedules = of_type(service, "AWS::Scheduler::Schedule").values()
    assert {each["ScheduleExpression"]: json.loads(text(each["Target"]["Input"])) for each in schedules} == {
        "rate(7 days)": {"as_of": "<aws.scheduler.scheduled-time>"},
        "cron(0 5 * * ? *)": {
            "as_of": "<aws.scheduler.scheduled-time>",
            "input": "batch/incoming/",
            "only_new": True,
        },
    }
    assert all("DeadLetterConfig" in each["Target"] for each in schedules)


def test_a_stage_without_schedules_has_none(always_on):
    assert of_type(always_on["service"], "AWS::Scheduler::Schedule") == {}


def test_only_an_approved_package_of_our_own_group_starts_a_release(service):
    (rule,) = [
        each for id, each in of_type(service, "AWS::Events::Rule").items() if short(id) == "ReleasesWhenApproved"
    ]
    assert rule["EventPattern"] == {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": ["flights-prod"], "ModelApprovalStatus": ["Approved"]},
    }
    (target,) = rule["Targets"]
    assert target["InputTransformer"] == {
        "InputPathsMap": {"detail-ModelPackageArn": "$.detail.ModelPackageArn"},
        "InputTemplate": '{"model_package_arn":<detail-ModelPackageArn>}',
    }
    assert (text(target["Arn"]), "DeadLetterConfig" in target) == ("<ReleasesRelease>", True)


def test_failures_are_told_at_once_and_only_our_own(service):
    rules = of_type(service, "AWS::Events::Rule").items()
    told = {short(id).removeprefix("Alarms"): each["EventPattern"] for id, each in rules if id.startswith("Alarms")}
    ours = [{"prefix": "flights-prod-"}]
    assert {name: pattern["detail"] for name, pattern in told.items()} == {
        "JobFailed": {"TrainingJobName": ours, "TrainingJobStatus": ["Failed", "Stopped"]},
        "ProcessingFailed": {"ProcessingJobName": ours, "ProcessingJobStatus": ["Failed", "Stopped"]},
        "EndpointFailed": {
            "EndpointName": ours,
            "EndpointStatus": ["FAILED", "Failed", "OUT_OF_SERVICE", "OutOfService"],
        },
        "FlowFailed": {
            "stateMachineArn": [
                {"Ref": id} for id in sorted(of_type(service, "AWS::StepFunctions::StateMachine"), reverse=True)
            ],
            "status": ["FAILED", "TIMED_OUT", "ABORTED"],
        },
    }


def test_alarms_watch_the_answers_their_speed_and_what_was_lost(service):
    alarms = {
        each["AlarmName"].rpartition("-")[2]: each for each in of_type(service, "AWS::CloudWatch::Alarm").values()
    }
    assert {name: (alarm["Threshold"], alarm["EvaluationPeriods"]) for name, alarm in alarms.items()} == {
        "Fallbacks": (5, 3),
        "Latency": (2000, 3),
        "Champion": (0, 1),
        "StaleRows": (14, 1),
        "ServerErrors": (0, 1),
        "Undelivered": (0, 1),
        "CaptureAge": (900_000, 3),
        "FunctionErrors": (0, 1),
        "Spent": (75, 1),
        "Reaped": (0, 1),
    }
    (ratio,) = [each["Expression"] for each in alarms["Fallbacks"]["Metrics"] if "Expression" in each]
    night = {"fallbacks": 1.0, "stand_ins": None, "predictions": 3.0}
    assert evaluate(ratio, night) == 0
    assert evaluate(ratio, {"fallbacks": 1.0, "stand_ins": None, "predictions": 20.0}) == 5
    assert evaluate(ratio, {"fallbacks": 12.0, "stand_ins": 8.0, "predictions": 20.0}) == 100
    for alarm in alarms.values():
        assert [imported(action["Fn::ImportValue"]) for action in alarm["AlarmActions"]] == ["AlarmsTopic"]
        assert alarm["TreatMissingData"] == "notBreaching"


def test_every_alarm_leads_to_what_to_do_about_it(service):
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    described = {
        each["AlarmName"].rpartition("-")[2]: each["AlarmDescription"]
        for each in of_type(service, "AWS::CloudWatch::Alarm").values()
    }
    assert sorted(headings) == sorted(described)
    assert all(text.endswith(f". What to do: docs/operations.md#{name.lower()}") for name, text in described.items())


def test_errors_alarm_whichever_functions_were_called(service):
    """A sum is none as long as one of its metrics is, and nobody calls `hours` in a stage without office hours."""
    (alarm,) = [
        each for each in of_type(service, "AWS::CloudWatch::Alarm").values() if "FunctionErrors" in each["AlarmName"]
    ]
    (sum_,) = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
    assert evaluate(sum_, {"m0": 1.0, "m1": 2.0, "m2": None, "m3": 0.0, "m4": None, "m5": None}) == 3
    watched = [
        each["MetricStat"]["Metric"]["Dimensions"][0]["Value"] for each in alarm["Metrics"] if "MetricStat" in each
    ]
    assert [text(name) for name in watched] == [
        "<RealtimeApiPredict>",
        "<RealtimeApiOutcomes>",
        "<Capture>",
        "<MoneyGuard>",
        "<MoneyReap>",
        "<OfficeHours>",
    ]


def test_answers_are_captured_from_the_stream_and_what_fails_is_bisected_bounded_and_told(service, data):
    (predictions,) = [
        table
        for table in of_type(data, "AWS::DynamoDB::GlobalTable").values()
        if table["TableName"] == "flights-prod-predictions"
    ]
    assert predictions["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    (mapping,) = of_type(service, "AWS::Lambda::EventSourceMapping").values()
    assert imported(mapping.pop("EventSourceArn")["Fn::ImportValue"]) == "TablesPredictions"
    assert text(mapping["DestinationConfig"]["OnFailure"]["Destination"]) == "<Undelivered>"
    (pattern,) = [json.loads(each["Pattern"]) for each in mapping["FilterCriteria"]["Filters"]]
    assert pattern == {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"features": {"S": [{"exists": True}]}}}}
    plain = {name: value for name, value in mapping.items() if isinstance(value, (int, str))}
    assert plain == {
        "BatchSize": 500,
        "BisectBatchOnFunctionError": True,
        "MaximumBatchingWindowInSeconds": 60,
        "MaximumRecordAgeInSeconds": 21600,
        "MaximumRetryAttempts": 20,
        "StartingPosition": "TRIM_HORIZON",
    }


def test_what_could_not_be_delivered_waits_as_long_as_a_queue_can_keep_it(service):
    (queue,) = of_type(service, "AWS::SQS::Queue").values()
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_metrics_that_are_watched_are_metrics_that_are_written(service):
    written = {
        Metric[name].value
        for verb in ("predict", "guard", "reap", "judge")
        for name in re.findall(r"Metric\.([A-Z_]+)", next((ROOT / "lambdas").rglob(f"{verb}.py")).read_text())
    }
    watched = {
        query["MetricStat"]["Metric"]["MetricName"]
        for alarm in of_type(service, "AWS::CloudWatch::Alarm").values()
        for query in alarm.get("Metrics", [])
        if query.get("MetricStat", {}).get("Metric", {}).get("Namespace") == "Fairway"
    } | {
        alarm["MetricName"]
        for alarm in of_type(service, "AWS::CloudWatch::Alarm").values()
        if alarm.get("Namespace") == "Fairway"
    }
    assert watched == {
        "Fallbacks",
        "StandIns",
        "Predictions",
        "Latency",
        "SpentPercent",
        "Reaped",
        "BrokenBenchmarks",
        "DataAgeDays",
    }
    assert watched <= written


def test_every_hour_the_budget_is_guarded_and_what_nobody_needs_is_ended(service):
    rules = [each for id, each in of_type(service, "AWS::Events::Rule").items() if id.startswith("Money")]
    assert [(each["ScheduleExpression"], text(each["Targets"][0]["Arn"])) for each in rules] == [
        ("rate(1 hour)", "<MoneyGuard>"),
        ("rate(1 hour)", "<MoneyReap>"),
    ]


def test_unusual_spending_is_watched_only_where_it_is_asked_for(service, always_on):
    """An account of an Organization may not have the monitor, and its refusal would undo a first deployment."""
    assert not [each["Type"] for each in service["Resources"].values() if each["Type"].startswith("AWS::CE::")]
    watched = always_on["service"]
    (monitor,) = of_type(watched, "AWS::CE::AnomalyMonitor").values()
    assert (monitor["MonitorType"], json.loads(monitor["MonitorSpecification"])) == (
        "CUSTOM",
        {"Tags": {"Key": "user:fairway", "Values": ["flights-test"]}},
    )
    (told,) = of_type(watched, "AWS::CE::AnomalySubscription").values()
    assert [(each["Type"], imported(each["Address"]["Fn::ImportValue"])) for each in told["Subscribers"]] == [
        ("SNS", "AlarmsTopic")
    ]
    assert (told["Frequency"], json.loads(told["ThresholdExpression"])["Dimensions"]["Values"]) == ("IMMEDIATE", ["10"])


def test_the_budget_warns_at_75_percent_and_before_and_when_it_is_spent(service):
    (budget,) = of_type(service, "AWS::Budgets::Budget").values()
    assert budget["Budget"] == {
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": 150, "Unit": "USD"},
        "CostFilters": {"TagKeyValue": ["user:fairway$flights-prod"]},
    }
    notices = [each["Notification"] for each in budget["NotificationsWithSubscribers"]]
    assert [(each["NotificationType"], each["Threshold"]) for each in notices] == [
        ("ACTUAL", 75),
        ("ACTUAL", 100),
        ("FORECASTED", 100),
    ]


def test_everything_that_can_be_tagged_carries_the_tag_that_costs_are_counted_by(service, data):
    untagged = {
        found["Type"]
        for _, found in resources(service, data)
        if "fairway" not in json.dumps(found.get("Properties", {}).get("Tags", ""))
    }
    assert untagged <= {
        "AWS::ApiGatewayV2::Integration",
        "AWS::ApiGatewayV2::Route",
        "AWS::Budgets::Budget",
        "AWS::CE::AnomalyMonitor",
        "AWS::CE::AnomalySubscription",
        "AWS::CloudWatch::Dashboard",
        "AWS::DynamoDB::GlobalTable",
        "AWS::IAM::Policy",
        "AWS::Lambda::Permission",
        "AWS::S3::BucketPolicy",
        "AWS::Scheduler::Schedule",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
        "Custom::Endpoints",
    }


def test_the_address_book_lists_what_the_commands_need(service):
    (book,) = of_type(service, "AWS::SSM::Parameter").values()
    assert (book["Name"], book["Type"]) == ("/fairway/flights/prod", "String")
    assert json.loads(text(book["Value"])) == {
        "stage": "prod",
        "project": "flights",
        "region": "us-east-1",
        "api_url": "<RealtimeApi>",
        "lake": "<LakeBucket>",
        "artefacts": "<LakeBucket>",
        "predictions": "<TablesPredictions>",
        "outcomes": "<TablesOutcomes>",
        "routing": "<TablesRouting>",
        "runs": "<TablesRuns>",
        "evidence": "<TablesEvidence>",
        "train": "<TrainingTrain>",
        "release": "<ReleasesRelease>",
        "batch": "<Batch>",
        "image": "ACCOUNT.dkr.ecr.REGION.amazonaws.com/flights-prod:0123456789ab",
        "alarms": "<AlarmsTopic>",
        "model_package_group": "flights-prod",
        "endpoint_prefix": "flights-prod-",
        "settings": fingerprints(read_config(ROOT, "prod"), read_contract(ROOT / "flights/contract.toml", "binary")),
    }


def test_no_secret_is_written_into_a_template(service, data):
    said = json.dumps([service, data])
    assert not re.findall(r"AKIA[A-Z0-9]{16}|-----BEGIN|aws_secret|password", said, flags=re.IGNORECASE)
    assert not of_type(service, "AWS::SecretsManager::Secret")


def test_endpoints_go_with_the_stack_before_the_role_they_use_and_after_the_flow_that_makes_them(service):
    ((id, custom),) = [(id, found) for id, found in resources(service) if found["Type"] == "Custom::Endpoints"]
    assert text(custom["Properties"]["ServiceToken"]) == "<EndpointsRemoveEndpoints>"
    assert "EndpointsRole" in {short(name) for name in listed(custom["DependsOn"])}
    assert (
        int(custom["Properties"]["ServiceTimeout"]) < 3600
    )  # which is how long CloudFormation waits for a function that died
    (release,) = [found for name, found in resources(service) if short(name) == "ReleasesRelease"]
    assert id in release["DependsOn"]


@pytest.mark.parametrize("wildcard", ["lambda:*", "s3:*", "dynamodb:*", "sagemaker:*", "iam:*"])
def test_no_action_is_a_wildcard(service, data, wildcard):
    for id, found in resources(service, data):
        if found["Type"] == "AWS::IAM::Policy":
            assert wildcard not in json.dumps(found["Properties"]["PolicyDocument"]), id


def test_each_accepted_finding_carries_a_reason():
    said = "\n".join(file.read_text() for file in Path(ROOT, "infra").rglob("*.py"))
    accepted = re.findall(r"accept\((?:[^()]|\([^()]*\))*\)", said)
    assert len(accepted) >= 6
    assert "NagSuppressions" not in said
