"""What is deployed: kept safe, kept private, kept for as long as it should be, and paid for knowingly."""

import ast
import json
import re
from pathlib import Path

import pytest

from domain.config.sections import read_config
from domain.contract.file import read_contract
from domain.fingerprints import fingerprints
from tests.infra.conftest import ROOT, template
from tests.infra.reading import imported, listed, of_type, short, text


def resources(*templates: dict):
    return [(id, found) for each in templates for id, found in each["Resources"].items()]


def test_every_log_is_kept_for_as_long_as_the_settings_say(service):
    groups = of_type(service, "AWS::Logs::LogGroup")
    assert {group["RetentionInDays"] for group in groups.values()} == {30}
    assert {name.rpartition("/")[2] for name in (group["LogGroupName"] for group in groups.values())} == {
        *(f"flights-prod-{verb}" for verb in verbs() - OF_A_REPLAY),
        *(f"flights-prod-{flow}" for flow in ("train", "release", "batch", "watch")),
        "flights-prod",  # the API's access log
    }


OF_A_REPLAY = {"plan_replay", "pace_replay", "judge_replay"}  # the reference project sets no release.replay_days


def verbs() -> set[str]:
    """The modules of lambdas/ that are functions."""
    return {file.stem for file in (ROOT / "lambdas").rglob("*.py") if "\ndef handler(" in file.read_text()}


def functions(service: dict) -> dict[str, dict]:
    return {each["Handler"].split(".")[-2]: each for each in of_type(service, "AWS::Lambda::Function").values()}


def test_every_handler_is_a_function_and_every_function_a_handler(service, always_on):
    found = functions(service)
    assert found.keys() == verbs() - OF_A_REPLAY
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
        ("POST /predictions", "GET /predictions", "GET /predictions/{id}", "GET /openapi.json", "POST /outcomes"),
        "AWS_IAM",
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
        "cron(30 0 * * ? *)": {"as_of": "<aws.scheduler.scheduled-time>"},
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
    named = {one["Name"]: one for one in of_type(service, "AWS::SSM::Parameter").values()}
    assert sorted(named) == ["/fairway/flights/prod", "/fairway/flights/prod/lake"]
    book = named["/fairway/flights/prod"]
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
        "watch": "<MonitoringWatch>",
        "image": "ACCOUNT.dkr.ecr.REGION.amazonaws.com/flights-prod:0123456789ab",
        "alarms": "<AlarmsTopic>",
        "capture": "<Capture>",
        "undelivered": "<Undelivered>",
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
