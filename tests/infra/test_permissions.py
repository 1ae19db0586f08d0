"""Every role in full: what each function, flow and job may do, and nothing else."""

import ast
import re

from tests.infra.conftest import ROOT
from tests.infra.reading import imported, listed, of_type, short, short_arn, text

# What every role of its kind has; the resources of these actions cannot be named in a policy.
FUNCTION = {
    "logs:CreateLogStream OWN_LOG",
    "logs:PutLogEvents OWN_LOG",
    "xray:PutTelemetryRecords *",
    "xray:PutTraceSegments *",
}
FLOW = {
    *(
        f"logs:{action} *"
        for action in (
            "CreateLogDelivery",
            "GetLogDelivery",
            "UpdateLogDelivery",
            "DeleteLogDelivery",
            "ListLogDeliveries",
            "PutResourcePolicy",
            "DescribeResourcePolicies",
            "DescribeLogGroups",
        )
    ),
    *(
        f"xray:{action} *"
        for action in ("PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets")
    ),
}
CONTAINER = {
    *(
        f"ecr:{action} <RegistryImages>"
        for action in ("BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage")
    ),
    *(
        f"logs:{action} logs:log-group:/aws/sagemaker/*"
        for action in ("CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents")
    ),
    "ecr:GetAuthorizationToken *",
    "cloudwatch:PutMetricData * if cloudwatch:namespace like /aws/sagemaker/*",
}

LAKE, PREDICTIONS, OUTCOMES, ROUTING, RUNS = (
    "<LakeBucket>",
    "<TablesPredictions>",
    "<TablesOutcomes>",
    "<TablesRouting>",
    "<TablesRuns>",
)
EVIDENCE = "<TablesEvidence>"
KEY = "<RegistrySigningKey>"
OURS, HOSTED = "flights-prod-*", "flights-prod-r-*"


def jobs(kind: str, name: str) -> set[str]:
    actions = (f"Create{name}", f"Describe{name}", f"Stop{name}", "AddTags", "ListTags")
    rule = f"events:rule/StepFunctionsGetEventsForSageMaker{name}sRule"
    return {f"sagemaker:{action} sagemaker:{kind}/{OURS}" for action in actions} | {
        f"events:{action} {rule}" for action in ("PutTargets", "PutRule", "DescribeRule")
    }


REMOVAL = {
    f"sagemaker:DeleteEndpoint sagemaker:endpoint/{HOSTED}",
    f"sagemaker:DeleteEndpointConfig sagemaker:endpoint-config/{HOSTED}",
    f"sagemaker:DeleteModel sagemaker:model/{HOSTED}",
    "sagemaker:ListEndpoints *",
    "sagemaker:ListEndpointConfigs *",
    "sagemaker:ListModels *",
}
ONLY_RELEASES = "if dynamodb:LeadingKeys all like ['release#*']"  # not the item that says who answers
TO_SAGEMAKER = "if iam:PassedToService = sagemaker.amazonaws.com"
ROLES = {
    "RealtimeApiPredictRole": FUNCTION
    | {
        f"dynamodb:GetItem {PREDICTIONS}",
        f"dynamodb:PutItem {PREDICTIONS}",
        f"dynamodb:BatchWriteItem {PREDICTIONS}",
        f"dynamodb:Query {PREDICTIONS}/index/by_entity",
        f"dynamodb:GetItem {ROUTING}",
        f"sagemaker:InvokeEndpoint sagemaker:endpoint/{HOSTED}",
        f"s3:GetObject {LAKE}/artefacts/*",
        f"kms:Verify {KEY}",
    },
    "RealtimeApiOutcomesRole": FUNCTION
    | {
        f"dynamodb:GetItem {PREDICTIONS}",
        f"dynamodb:Query {PREDICTIONS}/index/by_entity",
        *(f"dynamodb:{action} {OUTCOMES}" for action in ("GetItem", "PutItem", "DeleteItem")),
        *(f"dynamodb:{action} {EVIDENCE}" for action in ("GetItem", "PutItem", "UpdateItem")),
    },
    "CaptureCaptureRole": FUNCTION
    | {
        f"s3:PutObject {LAKE}/captured/*",
        f"s3:PutObject {LAKE}/quarantine/captured/*",
        "sqs:SendMessage <Undelivered>",
        f"dynamodb:GetItem {ROUTING}",
        f"dynamodb:PutItem {EVIDENCE}",
        f"dynamodb:UpdateItem {EVIDENCE}",
        f"sagemaker:InvokeEndpoint sagemaker:endpoint/{HOSTED}",
        *(f"dynamodb:{action} {PREDICTIONS}" for action in ("DescribeStream", "GetRecords", "GetShardIterator")),
        "dynamodb:ListStreams *",
    },
    "TrainingSelectWindowRole": FUNCTION
    | {
        f"dynamodb:Query {RUNS}",
        f"dynamodb:UpdateItem {RUNS}",
        f"dynamodb:GetItem {ROUTING}",
        f"s3:PutObject {LAKE}/runs/*",
        f"kms:Verify {KEY}",
    },
    "TrainingJobsRole": CONTAINER
    | {
        f"s3:ListBucket {LAKE}",
        f"s3:GetObject {LAKE}/rows/*",
        f"s3:GetObject {LAKE}/runs/*",
        f"s3:GetObject {LAKE}/artefacts/*",
        f"s3:GetObject {LAKE}/scratch/checkpoints/*",
        f"s3:PutObject {LAKE}/runs/*",
        f"s3:PutObject {LAKE}/artefacts/*",
        f"s3:PutObject {LAKE}/scratch/checkpoints/*",
    },
    "TrainingJudgeRole": FUNCTION
    | {
        f"s3:ListBucket {LAKE}",
        f"s3:GetObject {LAKE}/runs/*",
        f"s3:PutObject {LAKE}/runs/*",
        f"dynamodb:PutItem {ROUTING} {ONLY_RELEASES}",
        f"dynamodb:UpdateItem {ROUTING} {ONLY_RELEASES}",
        f"kms:Sign {KEY}",
    },
    "TrainingTrainRole": FLOW
    | jobs("training-job", "TrainingJob")
    | jobs("processing-job", "ProcessingJob")
    | {
        "lambda:InvokeFunction <TrainingSelectWindow>",
        "lambda:InvokeFunction <TrainingJudge>",
        f"iam:PassRole <TrainingJobsRole> {TO_SAGEMAKER}",
        "sagemaker:CreateModelPackage <RegistryModelPackages>",
        "sagemaker:CreateModelPackage sagemaker:model-package/flights-prod/*",
        f"dynamodb:UpdateItem {RUNS}",
    },
    "EndpointsRole": CONTAINER | {f"s3:GetObject {LAKE}/artefacts/*"},
    "EndpointsRemoveEndpointsRole": FUNCTION | REMOVAL,
    "ReleasesVerifyReleaseRole": FUNCTION | {f"s3:GetObject {LAKE}/artefacts/*", f"kms:Verify {KEY}"},
    "ReleasesTryEndpointRole": FUNCTION
    | {
        f"s3:ListBucket {LAKE}",
        f"s3:GetObject {LAKE}/runs/*",
        f"sagemaker:InvokeEndpoint sagemaker:endpoint/{HOSTED}",
    },
    "ReleasesAdvanceRole": FUNCTION
    | {
        f"dynamodb:GetItem {ROUTING}",
        f"dynamodb:PutItem {ROUTING} if dynamodb:LeadingKeys in ['routing', 'rollout']",
        f"dynamodb:UpdateItem {ROUTING} {ONLY_RELEASES}",
        f"dynamodb:Query {EVIDENCE}",
        f"dynamodb:PutItem {RUNS} if dynamodb:LeadingKeys in ['experiment']",
        "sns:Publish <AlarmsTopic>",
    },
    "ReleasesPromoteRole": FUNCTION
    | {
        f"dynamodb:GetItem {ROUTING}",
        f"dynamodb:PutItem {ROUTING} if dynamodb:LeadingKeys in ['routing']",
        f"dynamodb:UpdateItem {ROUTING} {ONLY_RELEASES}",
    },
    "ReleasesRetireRole": FUNCTION
    | REMOVAL
    | {f"dynamodb:GetItem {ROUTING}", f"dynamodb:UpdateItem {ROUTING} {ONLY_RELEASES}"},
    "ReleasesReleaseRole": FLOW
    | (REMOVAL - {"sagemaker:ListEndpointConfigs *", "sagemaker:ListModels *"})
    | {
        "sagemaker:DescribeModelPackage sagemaker:model-package/flights-prod/*",
        f"dynamodb:UpdateItem {ROUTING} {ONLY_RELEASES}",
        f"sagemaker:CreateModel sagemaker:model/{HOSTED}",
        f"sagemaker:CreateEndpointConfig sagemaker:endpoint-config/{HOSTED}",
        f"sagemaker:CreateEndpoint sagemaker:endpoint/{HOSTED}",
        f"sagemaker:CreateEndpoint sagemaker:endpoint-config/{HOSTED}",
        f"sagemaker:DescribeEndpoint sagemaker:endpoint/{HOSTED}",
        *(f"sagemaker:AddTags sagemaker:{kind}/{HOSTED}" for kind in ("model", "endpoint-config", "endpoint")),
        f"iam:PassRole <EndpointsRole> {TO_SAGEMAKER}",
        *(
            f"lambda:InvokeFunction <Releases{name}>"
            for name in ("VerifyRelease", "TryEndpoint", "Advance", "Promote", "Retire")
        ),
    },
    "ReleasesReleaseEventsRole": {"states:StartExecution <ReleasesRelease>"},
    "BatchPreprocessRole": FUNCTION
    | {
        f"s3:ListBucket {LAKE}",
        f"s3:GetObject {LAKE}/batch/*",
        f"s3:PutObject {LAKE}/batch/*",
        f"s3:GetObject {LAKE}/scored/*",
        f"dynamodb:UpdateItem {RUNS}",
        f"dynamodb:GetItem {ROUTING}",
        f"kms:Verify {KEY}",
    },
    "BatchJobsRole": CONTAINER
    | {
        f"s3:ListBucket {LAKE}",
        f"s3:GetObject {LAKE}/batch/*",
        f"s3:GetObject {LAKE}/artefacts/*",
        f"s3:PutObject {LAKE}/batch/*",
    },
    "BatchWriteResultsRole": FUNCTION | {f"s3:GetObject {LAKE}/batch/*", f"dynamodb:BatchWriteItem {PREDICTIONS}"},
    "BatchCloseBatchRole": FUNCTION
    | {
        f"s3:ListBucket {LAKE}",
        f"s3:GetObject {LAKE}/batch/*",
        f"s3:PutObject {LAKE}/scored/*",
        f"dynamodb:GetItem {RUNS}",
        f"dynamodb:UpdateItem {RUNS}",
    },
    "BatchRole": FLOW
    | jobs("processing-job", "ProcessingJob")
    | {
        *(f"lambda:InvokeFunction <Batch{name}>" for name in ("Preprocess", "WriteResults", "CloseBatch")),
        f"iam:PassRole <BatchJobsRole> {TO_SAGEMAKER}",
        f"dynamodb:UpdateItem {RUNS}",
        "states:StartExecution states:stateMachine:flights-prod-batch",
        *(
            f"states:{action} states:execution:flights-prod-batch:*"
            for action in ("DescribeExecution", "StopExecution")
        ),
        "states:RedriveExecution states:execution:flights-prod-batch/WriteResults:*",
        f"s3:ListBucket {LAKE} if s3:prefix like batch/*",
    },
}
ROLES["MonitoringChooseWindowRole"] = FUNCTION | {
    f"s3:ListBucket {LAKE}",
    f"s3:GetObject {LAKE}/runs/*",
    f"s3:PutObject {LAKE}/runs/*",
    f"s3:PutObject {LAKE}/windows/*",
    f"dynamodb:Scan {ROUTING}",
    f"dynamodb:UpdateItem {RUNS}",
}
ROLES["MonitoringJobsRole"] = CONTAINER | {
    f"s3:ListBucket {LAKE}",
    f"s3:GetObject {LAKE}/captured/*",
    f"s3:GetObject {LAKE}/runs/*",
    f"s3:PutObject {LAKE}/windows/*",
}
ROLES["MonitoringJudgeWindowRole"] = FUNCTION | {
    f"s3:ListBucket {LAKE}",
    f"s3:GetObject {LAKE}/runs/*",
    f"s3:GetObject {LAKE}/windows/*",
    f"dynamodb:Query {RUNS}",
    f"dynamodb:UpdateItem {RUNS}",
    f"dynamodb:GetItem {ROUTING}",
    f"dynamodb:Query {EVIDENCE}",
}
ROLES["MonitoringDecideRole"] = FUNCTION | {
    f"dynamodb:Query {RUNS}",
    f"dynamodb:UpdateItem {RUNS}",
    f"dynamodb:GetItem {ROUTING}",
    f"dynamodb:Scan {ROUTING}",
    "states:ListExecutions <TrainingTrain>",
    "sns:Publish <AlarmsTopic>",
    *(f"cloudformation:GetTemplate cloudformation:stack/flights-prod-{stack}/*" for stack in ("data", "service")),
}
ROLES["MonitoringWatchRole"] = (
    FLOW
    | jobs("processing-job", "ProcessingJob")
    | {
        *(f"lambda:InvokeFunction <Monitoring{name}>" for name in ("ChooseWindow", "JudgeWindow", "Decide")),
        "states:StartExecution <TrainingTrain>",
        f"iam:PassRole <MonitoringJobsRole> {TO_SAGEMAKER}",
        f"dynamodb:UpdateItem {RUNS}",
    }
)
ROLES["MoneyGuardRole"] = FUNCTION | {
    f"dynamodb:GetItem {ROUTING}",
    f"dynamodb:PutItem {ROUTING} if dynamodb:LeadingKeys in ['routing', 'guard']",
    f"dynamodb:Query {RUNS}",
    f"sagemaker:CreateEndpoint sagemaker:endpoint/{HOSTED}",
    f"sagemaker:CreateEndpoint sagemaker:endpoint-config/{HOSTED}",
    f"sagemaker:AddTags sagemaker:endpoint/{HOSTED}",
    "sns:Publish <AlarmsTopic>",
    "cloudwatch:GetMetricData *",
    *(f"cloudformation:GetTemplate cloudformation:stack/flights-prod-{stack}/*" for stack in ("data", "service")),
}
IF_OURS = "if aws:ResourceTag/fairway = flights-prod"
ROLES["MoneyReapRole"] = FUNCTION | {
    f"dynamodb:GetItem {ROUTING}",
    f"dynamodb:Query {RUNS}",
    "sns:Publish <AlarmsTopic>",
    *(f"sagemaker:List{what} *" for what in ("Endpoints", "TrainingJobs", "ProcessingJobs", "NotebookInstances")),
    *(
        f"sagemaker:ListTags sagemaker:{kind}/*"
        for kind in ("endpoint", "training-job", "processing-job", "notebook-instance")
    ),
    "sagemaker:DescribeEndpointConfig sagemaker:endpoint-config/*",
    *(f"sagemaker:{action}Endpoint sagemaker:endpoint/* {IF_OURS}" for action in ("Describe", "Delete")),
    *(f"sagemaker:{action}TrainingJob sagemaker:training-job/* {IF_OURS}" for action in ("Describe", "Stop")),
    *(f"sagemaker:{action}ProcessingJob sagemaker:processing-job/* {IF_OURS}" for action in ("Describe", "Stop")),
    f"sagemaker:StopNotebookInstance sagemaker:notebook-instance/* {IF_OURS}",
}
ROLES["OfficeHoursHoursRole"] = FUNCTION | {
    f"dynamodb:GetItem {ROUTING}",
    "cloudwatch:GetMetricData *",
    f"sagemaker:CreateEndpoint sagemaker:endpoint/{HOSTED}",
    f"sagemaker:CreateEndpoint sagemaker:endpoint-config/{HOSTED}",
    *(
        f"sagemaker:{action} sagemaker:endpoint/{HOSTED}"
        for action in ("DescribeEndpoint", "DeleteEndpoint", "AddTags")
    ),
}
SCHEDULER = [
    {"states:StartExecution <TrainingTrain>", "sqs:SendMessage <Undelivered>"},
    {"states:StartExecution <Batch>", "sqs:SendMessage <Undelivered>"},
    {"states:StartExecution <MonitoringWatch>", "sqs:SendMessage <Undelivered>"},
]


def granted(service: dict) -> dict[str, set[str]]:
    """{role: what it may do, each as `action resource` and its condition}."""
    found = {}
    for policy in of_type(service, "AWS::IAM::Policy").values():
        (role,) = policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            found.setdefault(short(role["Ref"]), set()).update(
                f"{action} {resource_of(resource)}{condition_of(statement)}"
                for action in listed(statement["Action"])
                for resource in listed(statement["Resource"])
            )
    return found


def resource_of(resource) -> str:
    said = short_arn(text(resource))
    return "OWN_LOG" if said.endswith("Logs>") else said


def condition_of(statement: dict) -> str:
    words = {
        "StringEquals": "=",
        "StringLike": "like",
        "ForAllValues:StringEquals": "in",
        "ForAllValues:StringLike": "all like",
    }
    said = [
        f"{key} {words[operator]} {value}"
        for operator, tests in statement.get("Condition", {}).items()
        for key, value in tests.items()
    ]
    return f" if {' and '.join(said)}" if said else ""


def test_every_role_may_do_exactly_this(service):
    found = granted(service)
    schedulers = [found.pop(role) for role in sorted(found) if role.startswith("SchedulerRole")]
    assert sorted(map(sorted, schedulers)) == sorted(map(sorted, SCHEDULER))
    for role, expected in ROLES.items():
        assert found[role] == expected, role
    assert found.keys() == ROLES.keys()


READ_BY_LAMBDA = {  # of a stream, with the role of the function that it then calls
    *(f"dynamodb:{action} {PREDICTIONS}" for action in ("DescribeStream", "GetRecords", "GetShardIterator")),
    "dynamodb:ListStreams *",
}
CALLED = {"ListBucket": "list_objects_v2", "InvokeFunction": "Invoke", "AddTags": "create_endpoint"}  # it takes Tags


def test_no_function_may_do_what_its_code_never_asks_for(service):
    for properties in of_type(service, "AWS::Lambda::Function").values():
        module, role = properties["Handler"].removesuffix(".handler"), short(properties["Role"]["Fn::GetAtt"][0])
        words = words_of(module)
        for line in granted(service)[role] - FUNCTION - READ_BY_LAMBDA:
            action = line.split()[0].partition(":")[2]
            as_botocore = re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower()
            assert {action, as_botocore, CALLED.get(action)} & words, f"{module}: {line}"


def words_of(module: str, seen: frozenset = frozenset()) -> set[str]:
    """Every attribute and text in the module and in those of lambdas/ that it imports: a call is one or the other."""
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
    found = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    found |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    brought = {name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for name in modules_of(node)}
    for name in brought - seen:
        found |= words_of(name, seen | brought)
    return found


def modules_of(node: ast.ImportFrom) -> list[str]:
    """Which files of lambdas/ an import brings."""
    names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.startswith("lambdas.") and (ROOT / f"{name.replace('.', '/')}.py").is_file()]


def test_no_role_takes_a_managed_policy_or_trusts_another_account(service, data):
    for template in (service, data):
        for id, role in of_type(template, "AWS::IAM::Role").items():
            assert "ManagedPolicyArns" not in role and "Policies" not in role, id
            for statement in role["AssumeRolePolicyDocument"]["Statement"]:
                assert list(statement["Principal"]) == ["Service"], id


def test_endpoints_that_are_always_on_a_replay_and_a_canary_add_only_what_they_need(service, always_on):
    before, after = granted(service)["ReleasesReleaseRole"], granted(always_on["service"])["ReleasesReleaseRole"]
    service = "aws-service-role/sagemaker.application-autoscaling.amazonaws.com"
    role = f"{service}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    assert after - {line.replace("flights-prod", "flights-test") for line in before} == {
        *(
            f"application-autoscaling:{action} application-autoscaling:scalable-target/*"
            " if application-autoscaling:service-namespace = sagemaker"
            for action in ("RegisterScalableTarget", "PutScalingPolicy")
        ),
        "sagemaker:DescribeEndpoint sagemaker:endpoint-config/flights-test-r-*",
        *(
            f"sagemaker:{action} sagemaker:{kind}/flights-test-r-*"
            for kind in ("endpoint", "endpoint-config")
            for action in ("DescribeEndpointConfig", "UpdateEndpointWeightsAndCapacities")
        ),
        *(
            f"cloudwatch:{action} cloudwatch:alarm:TargetTracking-endpoint/flights-test-r-*"
            for action in ("PutMetricAlarm", "DescribeAlarms", "DeleteAlarms")
        ),
        (
            f"iam:CreateServiceLinkedRole iam:role/{role}"
            " if iam:AWSServiceName = sagemaker.application-autoscaling.amazonaws.com"
        ),
        *(f"lambda:InvokeFunction <Releases{name}>" for name in ("PlanReplay", "PaceReplay", "JudgeReplay")),
        *(line.replace("flights-prod", "flights-test") for line in jobs("processing-job", "ProcessingJob")),
        f"iam:PassRole <ReleasesJobsRole> {TO_SAGEMAKER}",
    }


def test_a_replay_reads_captured_answers_and_rows_and_only_its_run_is_written(always_on):
    found = granted(always_on["service"])
    assert found["ReleasesJobsRole"] == CONTAINER | {
        f"s3:ListBucket {LAKE}",
        *(f"s3:GetObject {LAKE}/{folder}/*" for folder in ("runs", "rows", "captured", "artefacts")),
        f"s3:PutObject {LAKE}/runs/*",
        f"s3:PutObject {LAKE}/scratch/paced/*",
    }
    assert found["ReleasesPaceReplayRole"] == FUNCTION | {
        f"s3:ListBucket {LAKE}",
        f"s3:GetObject {LAKE}/runs/*",
        f"s3:GetObject {LAKE}/scratch/paced/*",
        f"s3:PutObject {LAKE}/runs/*",
        f"dynamodb:GetItem {ROUTING}",
        "sagemaker:InvokeEndpoint sagemaker:endpoint/flights-test-r-*",
    }
    assert found["ReleasesPlanReplayRole"] == FUNCTION | {
        f"s3:ListBucket {LAKE}",
        f"s3:GetObject {LAKE}/runs/*",
        f"s3:PutObject {LAKE}/runs/*",
        f"dynamodb:GetItem {ROUTING}",
        f"kms:Verify {KEY}",
    }
    assert found["ReleasesJudgeReplayRole"] == FUNCTION | {
        f"s3:ListBucket {LAKE}",
        f"s3:GetObject {LAKE}/runs/*",
        f"s3:PutObject {LAKE}/runs/*",
        f"dynamodb:GetItem {PREDICTIONS}",
        f"dynamodb:GetItem {OUTCOMES}",
        f"dynamodb:UpdateItem {ROUTING} {ONLY_RELEASES}",
        "sns:Publish <AlarmsTopic>",
    }


def test_names_are_read_as_a_person_would():
    assert imported("flights-prod-data:ExportsOutputFnGetAttLakeBucketB1D32E10Arn6706D8FF") == "LakeBucket"
    assert imported("flights-prod-data:ExportsOutputRefTablesRunsB40D77DF5A715253") == "TablesRuns"
    assert short("TrainingJudge29AF38DD") == "TrainingJudge"


def test_a_replay_of_another_stages_requests_reads_what_that_captured_and_nothing_else_of_it(longest):
    theirs = {
        name: {re.sub(r"s3:+\W*SsmParameterValue\w*prodlake\w*\W*?(?=/| |$)", "PRODS_LAKE", line) for line in lines}
        for name, lines in granted(longest).items()
    }
    found = {name: {line for line in lines if "PRODS_LAKE" in line or "Ssm" in line} for name, lines in theirs.items()}
    captured = "s3:ListBucket PRODS_LAKE if s3:prefix like ['captured/*']"
    assert {name: lines for name, lines in found.items() if lines} == {
        "ReleasesJobsRole": {captured, "s3:GetObject PRODS_LAKE/captured/*"},
        "ReleasesPlanReplayRole": {captured},
    }
