"""Scenarios worked out by hand from the list prices of us-east-1; every price is in domain/money/data/prices.csv with
its source.
"""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.config.sections import Usage
from domain.money.instances import InstanceError
from domain.money.prices import read_prices
from domain.money.projection import PRICED, project, run_usd
from tests.domain.money.scenario import PRICES, month, only, requests, resource

TODAY = "2026-11-22"
MILLION = 1_000_000


def projected(usage, *resources, prices=PRICES):
    return project(list(resources), usage, prices, today=TODAY)


def function(verb, memory_mb=1024, **properties):
    more = {"Architectures": ["arm64"], "MemorySize": memory_mb, "Handler": f"lambdas.{verb}.handler", **properties}
    return resource("AWS::Lambda::Function", **more)


def machine(*calls, **states):
    made = {f"State{n}": {"Type": "Task", "Resource": f"arn:aws:states:::{call}"} for n, call in enumerate(calls)}
    return resource("AWS::StepFunctions::StateMachine", DefinitionString=json.dumps({"States": {**made, **states}}))


def table(name, indexes=0, **properties):
    more = {"TableName": f"flights-local-{name}", "GlobalSecondaryIndexes": [{}] * indexes, **properties}
    return resource("AWS::DynamoDB::GlobalTable", **more)


def test_a_million_requests_on_a_function():
    usage = month({**requests(MILLION), "predict_ms": 100.0, "metrics": 0})
    found = projected(usage, function("predict"))
    # 1,000,000 x 0.1 s x 1 GB x 0.0000133334 = 1.33334, and 1,000,000 x 0.0000002 = 0.20
    assert found.monthly_usd == pytest.approx(1.53334)
    assert found.by_flow_usd == pytest.approx({"train": 0, "request": 1.53334, "batch": 0, "watch": 0, "store": 0})


def test_a_million_requests_through_the_api():
    usage = month({**requests(MILLION), "outcomes_percent": 10.0, "request_kb": 2.0, "reply_kb": 1.0})
    found = projected(usage, resource("AWS::ApiGatewayV2::Api", ProtocolType="HTTP"))
    # 1.1 million requests x 0.000001 = 1.10; 1,000,000 kB = 0.953674 GB out x 0.09 = 0.0858307
    assert found.monthly_usd == pytest.approx(1.10 + 0.0858307)


def test_a_request_larger_than_512_kilobytes_counts_twice():
    usage = month({**requests(MILLION), "outcomes_percent": 0.0, "request_kb": 600.0})
    asked = projected(usage, resource("AWS::ApiGatewayV2::Api")).lines[0]
    assert asked.quantity == pytest.approx(2 * MILLION)


def test_a_million_seconds_of_a_serverless_endpoint():
    usage = month(
        {
            **requests(MILLION),
            "scoring_ms": 100.0,
            "predict_ms": 200.0,
            "request_kb": 1.0,
            "reply_kb": 1.0,
            "training_runs": 0.0,
        }
    )
    found = projected(usage, machine("sagemaker:createEndpoint"))
    # 100,000 s x 0.00004 (2 GB) = 4.00; 2 x 0.953674 GB x 0.016 = 0.0305176
    assert found.monthly_usd == pytest.approx(4.00 + 0.0305176)


def test_an_endpoint_that_is_always_on():
    usage = month(
        {**requests(0), "training_runs": 4.0},
        serving={"mode": "instance", "instance": "ml.m5.large", "instances": 2},
        release={"keep_previous_minutes": 120},
    )
    line = only(projected(usage, machine("sagemaker:createEndpoint")).lines, "Host:ml.m5.large")
    # 2 machines x (730 h + 4 releases x 2 h of the one before) x 0.115 = 169.74
    assert (line.quantity, line.monthly_usd, line.fixed) == (2 * 738, pytest.approx(169.74), True)


def test_a_release_that_is_a_shadow_has_an_endpoint_beside_the_champions():
    serving = {"mode": "instance", "instance": "ml.m5.large", "instances": 2}
    release = {"keep_previous_minutes": 0, "shadow": 10, "shadow_minutes": 120, "shadow_rows": 1}
    usage = month({**requests(MILLION), "training_runs": 4.0}, serving=serving, release=release)
    line = only(projected(usage, machine("sagemaker:createEndpoint")).lines, "Host:ml.m5.large")
    # 2 machines x (730 h + 4 releases x 2 h as a shadow)
    assert line.quantity == pytest.approx(2 * 738)
    assert usage.looks == 4 * 120


def test_calls_that_ask_a_shadow_are_paid_like_requests():
    def seconds(**release) -> float:
        usage = month(
            {**requests(MILLION), "scoring_ms": 100.0, "predict_ms": 200.0, "training_runs": 4.0}, release=release
        )
        return only(projected(usage, machine("sagemaker:createEndpoint")).lines, "ServerlessInf:Mem-2GB").quantity

    asked = seconds(shadow=10, shadow_minutes=60, shadow_rows=1)
    assert seconds() < asked < seconds() * 1.01  # one call asks for up to a hundred rows, for four hours of a month


def test_a_replay_is_a_processing_job_for_each_release_also_where_functions_answer():
    replay = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createProcessingJob.sync"}
    promote = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
    definition = json.dumps({"StartAt": "Replay", "States": {"Replay": replay, "Promote": promote}})
    usage = month(
        {"training_runs": 10.0, "evaluation_minutes": 4.0, "start_minutes": 2.0}, training={"instance": "ml.m5.xlarge"}
    )
    found = projected(usage, resource("AWS::StepFunctions::StateMachine", DefinitionString=definition))
    job = only(found.lines, "Processing:ml.m5.xlarge")
    assert (job.flow, job.quantity) == ("train", pytest.approx(10 * 6 / 60))


OFFICE = {"office_hours": "mon-fri 07:00-19:00", "wake_minutes": 15}


def test_outside_office_hours_there_is_no_endpoint_to_pay_for():
    usage = month(
        {**requests(0), "training_runs": 0.0}, serving={"mode": "instance", "instance": "ml.m5.large", **OFFICE}
    )
    line = only(projected(usage, machine("sagemaker:createEndpoint")).lines, "Host:ml.m5.large")
    # 5 days x 12.25 h of 168 h: 730 x 61.25 / 168 x 0.115 = 30.6068 (AWS's own example, 12 h x 22 days: 30.36)
    assert line.monthly_usd == pytest.approx(30.6068, rel=0.01)


@pytest.mark.parametrize(("outside", "hours"), [("fallback", 61.25), ("wake", 168.0)])
def test_requests_outside_the_hours_are_scored_only_where_they_wake_the_endpoint(outside, hours):
    usage = month(
        {**requests(MILLION), "scoring_ms": 100.0, "predict_ms": 200.0, "training_runs": 0.0},
        serving={**OFFICE, "outside": outside},
    )
    line = only(projected(usage, machine("sagemaker:createEndpoint")).lines, "ServerlessInf:Mem-2GB")
    assert line.monthly_usd == pytest.approx(4.00 * hours / 168, rel=0.01)


def test_looking_after_the_hours_costs_next_to_nothing():
    looked = projected(month({"function_ms": 500.0}, serving=OFFICE), function("hours", 256))
    # 8,760 looks x 0.5 s x 0.25 GB x 0.0000133334 + 8,760 x 0.0000002
    assert looked.monthly_usd == pytest.approx(0.0146 + 0.00175, rel=0.01)
    assert projected(month({}), function("hours", 256)).monthly_usd == 0


def test_a_month_of_training():
    train = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync"}
    per_candidate = {"Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "States": {"One": train}}}
    usage = month(
        {
            "training_runs": 10.0,
            "training_minutes": 10.0,
            "evaluation_minutes": 4.0,
            "start_minutes": 2.0,
            "spot_saving_percent": 50.0,
        },
        training={
            "candidates": ["prior", "logistic_regression", "gradient_boosting"],
            "instance": "ml.m5.xlarge",
            "volume_gb": 10,
        },
    )
    found = projected(usage, machine("sagemaker:createProcessingJob.sync", Candidates=per_candidate))
    hours = 10 * 3 * 12 / 60 * 0.5  # runs x candidates x minutes, half of it saved by Spot: 3 h
    assert only(found.lines, "Train:ml.m5.xlarge").monthly_usd == pytest.approx(3 * 0.23)
    assert only(found.lines, "Processing:ml.m5.xlarge").monthly_usd == pytest.approx(10 * 6 / 60 * 0.23)
    assert only(found.lines, "Train:VolumeUsage.gp2").monthly_usd == pytest.approx(10 * hours / 730 * 0.14)
    # the start, the job, the map and what is in it, once for each of three candidates
    assert only(found.lines, "StateTransition").monthly_usd == pytest.approx(10 * (1 + 1 + 1 + 3) * 0.000025)


def test_spot_saves_nothing_where_it_is_off():
    usage = month(
        {"training_runs": 1.0, "training_minutes": 58.5, "spot_saving_percent": 60.0}, training={"spot": False}
    )
    line = only(projected(usage, machine("sagemaker:createTrainingJob.sync")).lines, "Train:ml.m5.xlarge")
    assert line.monthly_usd == pytest.approx(0.23)  # 58.5 minutes and 1.5 to start


def test_a_month_of_batches():
    write = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
    per_chunk = {"Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "States": {"One": write}}}
    usage = month(
        {
            "batch_runs": 30.0,
            "rows_per_batch": MILLION,
            "batch_rows_per_second": 10_000.0,
            "start_minutes": 1.0,
            **requests(0),
        },
        batch={"instances": 4, "instance": "ml.m5.large", "rows_per_chunk": 5000, "volume_gb": 30},
    )
    found = projected(
        usage, machine("sagemaker:createProcessingJob.sync", Chunks=per_chunk), function("write_results", 512)
    )
    # 30 runs x (100 s of rows + 4 machines x 60 s to start) = 2.8333 machine-hours x 0.115
    assert only(found.lines, "Processing:ml.m5.large").monthly_usd == pytest.approx(30 * 340 / 3600 * 0.115)
    assert only(found.lines, "StateTransition").quantity == pytest.approx(30 * (1 + 1 + 1 + 200))
    assert only(found.lines, "Request-ARM").quantity == 30 * 200
    assert found.predictions == 30 * MILLION


def test_a_million_answers_in_a_table_with_an_index():
    asked = {**requests(MILLION), "batch_runs": 0.0, "prediction_bytes": 1500, "outcomes_percent": 50.0, "months": 12}
    usage = month(asked, serving={"keep_predictions_days": 73})
    backed_up = {"Replicas": [{"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}]}
    found = projected(usage, table("predictions", indexes=1, **backed_up))
    # 1500 bytes are 2 write units, and 2 more for the index: 4 million x 0.000000625 = 2.50
    assert sum(line.monthly_usd for line in found.lines if line.what == "answers written") == pytest.approx(2.50)
    # 73 days are 2.4 months: 2.4 million x 1500 bytes x 2 copies = 6.70552 GB
    gb = 2.4 * MILLION * 1500 * 2 / 1024**3
    assert only(found.lines, "TimedStorage-ByteHrs").monthly_usd == pytest.approx(gb * 0.25)
    assert only(found.lines, "TimedPITRStorage-ByteHrs").monthly_usd == pytest.approx(gb * 0.20)
    assert only(found.lines, "ReadRequestUnits").monthly_usd == pytest.approx(500_000 * 0.5 * 0.000000125)


def test_logs_are_paid_when_written_and_while_they_are_kept():
    usage = month({**requests(MILLION), "log_kb": 1.0, "months": 12})
    group = resource("AWS::Logs::LogGroup", LogGroupName="/aws/lambda/flights-local-predict", RetentionInDays=73)
    found = projected(usage, group)
    gb = MILLION / 1024**2  # 0.953674 GB a month, of which 2.4 months are kept
    assert found.monthly_usd == pytest.approx(gb * 0.50 + 2.4 * gb * 0.03)


def test_what_watches_costs_the_same_however_little_there_is_to_see():
    metric = {"MetricStat": {"Metric": {"MetricName": "Errors"}}}
    found = projected(
        month(requests(0)),
        resource("AWS::CloudWatch::Alarm"),
        resource("AWS::CloudWatch::Alarm", Metrics=[metric, metric, {"Expression": "a/b"}]),
        resource("AWS::CloudWatch::CompositeAlarm"),
        resource("AWS::CloudWatch::Dashboard"),
        resource("AWS::Logs::MetricFilter", MetricTransformations=[{}]),
    )
    assert found.fixed_usd == pytest.approx(0.10 + 2 * 0.10 + 0.50 + 3.00 + 0.30)
    assert found.per_use_usd == 0


def test_traces_are_sampled_above_one_request_a_second():
    usage = month({"requests_per_second": 11.0, "predict_ms": 10.0, "metrics": 0})
    traced = projected(usage, function("predict", TracingConfig={"Mode": "Active"}))
    # 1 of the first request and 5 % of the other 10, each second: 1.5 x 730 x 3600 x 0.000005
    assert only(traced.lines, "XRay-TracesStored").monthly_usd == pytest.approx(1.5 * 730 * 3600 * 0.000005)


def test_a_key_that_signs_is_asked_by_training_runs_and_one_that_encrypts_by_answers():
    usage = month(requests(1e6) | {"training_runs": 4, "batch_runs": 0})
    signing = projected(usage, resource("AWS::KMS::Key", KeyUsage="SIGN_VERIFY")).lines
    encrypting = projected(usage, resource("AWS::KMS::Key")).lines
    assert only(signing, "KMS-Requests-Asymmetric").quantity == 12  # 4 runs x 3
    assert only(encrypting, "KMS-Requests").monthly_usd == pytest.approx(3.00)  # 1e6 x 0.000003


def test_a_private_network_costs_more_than_all_the_rest():
    zones = {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b"]}
    found = projected(
        month(requests(0)),
        resource("AWS::EC2::NatGateway"),
        *[resource("AWS::EC2::VPCEndpoint", **zones)] * 6,
        resource("AWS::EC2::VPCEndpoint", VpcEndpointType="Gateway"),
    )
    assert found.monthly_usd == pytest.approx(32.85 + 87.60)  # 730 x 0.045, and 6 x 2 x 730 x 0.01


def test_the_cost_of_a_prediction_counts_everything_and_of_one_more_only_what_it_adds():
    usage = month({**requests(MILLION), "batch_runs": 0.0, "predict_ms": 100.0, "metrics": 0})
    found = projected(usage, function("predict"), resource("AWS::CloudWatch::Dashboard"))
    assert found.per_thousand_predictions_usd == pytest.approx((1.53334 + 3) / 1000)
    assert found.next_thousand_predictions_usd == pytest.approx(1.53334 / 1000)


def test_the_range_is_as_wide_as_the_prices_are_uncertain():
    usage = month({"training_runs": 1.0, "training_minutes": 58.5})
    found = projected(usage, machine("sagemaker:createTrainingJob.sync"))
    job = only(found.lines, "Train:ml.m5.xlarge")
    assert job.confidence == "medium"
    assert found.low_usd == pytest.approx(
        sum(line.monthly_usd * (0.85 if line is job else 0.98) for line in found.lines)
    )
    assert found.low_usd < found.monthly_usd < found.high_usd


def test_nothing_is_left_out_in_silence():
    found = projected(
        month(),
        resource("AWS::IAM::Role", "Role"),
        resource("AWS::Redshift::Cluster", "Warehouse"),
        function("fly"),
        table("feathers"),
        resource("Custom::Endpoints", "Remover"),
    )
    assert found.lines == []
    assert [(each.resource, each.type) for each in found.free] == [
        ("Role", "AWS::IAM::Role"),
        ("Remover", "Custom::Endpoints"),
    ]
    assert [each.why[:41] for each in found.unpriced] == [
        "no pricing rule for AWS::Redshift::Cluste",
        "no rule for its usage; add one in domain/",
        "no rule for its usage; add one in domain/",
    ]


def test_a_price_that_is_missing_in_a_region_is_named_and_not_counted_as_nothing():
    usage = month({**requests(MILLION), "metrics": 0, "predict_ms": 100.0})
    found = projected(usage, function("predict"), prices=read_prices("eu-west-1"))
    assert [each.why for each in found.unpriced] == [
        "runs: 1e+06 a month, but the price table has no AWSLambda Request-ARM for this region"
    ]
    assert found.monthly_usd == pytest.approx(1.33334)


def test_old_and_undated_prices_are_named():
    backed_up = {"Replicas": [{"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}]}
    usage = month({**requests(MILLION), "metrics": 0})
    found = projected(usage, table("predictions", **backed_up), function("predict", TracingConfig={"Mode": "Active"}))
    assert (found.oldest_price, found.oldest_price_days) == ("2024-11-15", 737)
    assert found.old_prices == ["AmazonDynamoDB TimedPITRStorage-ByteHrs"]
    assert found.undated_prices == ["AWSXRay USE1-XRay-TracesStored"]
    stale = only(found.lines, "TimedPITRStorage-ByteHrs"), only(found.lines, "XRay-TracesStored")
    assert found.stale_usd == pytest.approx(sum(line.monthly_usd for line in stale))


def test_a_machine_that_cannot_do_the_work_is_refused():
    host = month({}, serving={"mode": "instance", "instance": "ml.t3.medium"})
    with pytest.raises(
        InstanceError,
        match="serving.instance = 'ml.t3.medium': must be an instance type that can host an endpoint .* such as ml.c5",
    ):
        projected(host, machine("sagemaker:createEndpoint"))
    train = month({"training_runs": 1.0}, training={"instance": "ml.c7g.large"})
    with pytest.raises(InstanceError, match="'ml.c7g.large': must be an instance type that can train"):
        projected(train, machine("sagemaker:createTrainingJob.sync"))


def test_allowances_count_only_where_asked_for_and_once_for_all_that_share_them():
    asked = {**requests(3 * MILLION), "outcomes_percent": 0.0, "predict_ms": 100.0, "metrics": 16, "batch_runs": 0.0}
    stack = [function("predict"), function("predict", Architectures=["x86_64"])]
    paid, allowed = (projected(month({**asked, "free_tier": free}), *stack) for free in (False, True))
    assert paid.monthly_usd == pytest.approx(
        300_000 * (0.0000133334 + 0.0000166667) + 6 * MILLION * 0.0000002 + 32 * 0.30
    )
    # 600,000 GB-s less 400,000, 6 million requests less one, 32 metrics less ten: in equal parts from both functions
    assert allowed.monthly_usd == pytest.approx(
        300_000 * (0.0000133334 + 0.0000166667) / 3 + 5 * MILLION * 0.0000002 + 22 * 0.30
    )
    little = projected(month({**asked, **requests(100), "metrics": 1, "free_tier": True}), *stack)
    assert (little.monthly_usd, little.lines[0].quantity) == (0, pytest.approx(100))


# ---- what holds for every usage

STACK = [
    function("predict", TracingConfig={"Mode": "Active"}),
    function("outcomes"),
    function("write_results", EphemeralStorage={"Size": 1024}),
    table("predictions", indexes=1),
    table("outcomes"),
    table("routing"),
    table("runs"),
    machine("sagemaker:createTrainingJob.sync", "sagemaker:createProcessingJob.sync"),
    machine("sagemaker:createEndpoint"),
    machine("sagemaker:createProcessingJob.sync"),
    resource("AWS::ApiGatewayV2::Api"),
    resource("AWS::ApiGatewayV2::Api", ProtocolType="WEBSOCKET"),
    resource("AWS::S3::Bucket"),
    resource("AWS::ECR::Repository"),
    resource("AWS::Logs::LogGroup", LogGroupName="/aws/lambda/flights-local-predict"),
    resource("AWS::KMS::Key"),
    resource("AWS::WAFv2::WebACL", Rules=[{}, {}]),
]
GROWING = {
    "requests_per_second": st.floats(0, 1000),
    "outcomes_percent": st.floats(0, 100),
    "rows_loaded": st.integers(0, 10**9),
    "rows_per_batch": st.integers(0, 10**8),
    "prediction_bytes": st.integers(1, 10_000),
    "log_kb": st.floats(0, 10),
    "months": st.integers(1, 36),
    "training_minutes": st.floats(0.1, 600),
    "predict_ms": st.floats(100, 1000),
}
USAGES = st.fixed_dictionaries(dict(GROWING.items()))


def of(usage):
    return month({"training_runs": 4.0, "batch_runs": 30.0, **usage})


@settings(max_examples=40, deadline=None)
@given(usage=USAGES)
def test_no_line_is_negative_and_all_together_are_the_total(usage):
    found = project(STACK, of(usage), PRICES, today=TODAY)
    assert all(line.monthly_usd >= 0 and line.quantity >= 0 for line in found.lines)
    assert found.monthly_usd == pytest.approx(sum(found.by_flow_usd.values()))
    assert found.fixed_usd + found.per_use_usd == pytest.approx(found.monthly_usd)
    assert 0 <= found.low_usd <= found.monthly_usd <= found.high_usd


@settings(max_examples=40, deadline=None)
@given(usage=USAGES, cut=st.integers(0, len(STACK)))
def test_two_halves_of_an_app_cost_what_the_whole_costs(usage, cut):
    usage = of(usage)
    halves = [project(half, usage, PRICES, today=TODAY).monthly_usd for half in (STACK[:cut], STACK[cut:])]
    assert sum(halves) == pytest.approx(project(STACK, usage, PRICES, today=TODAY).monthly_usd)


@settings(max_examples=80, deadline=None)
@given(usage=USAGES, name=st.sampled_from(sorted(GROWING)), factor=st.floats(1, 3))
def test_more_usage_never_costs_less(usage, name, factor):
    grown = usage[name] * factor if isinstance(usage[name], float) else int(usage[name] * factor)
    more = {**usage, name: min(grown, Usage.__dataclass_fields__[name].metadata.get("most", grown))}
    less_usd, more_usd = (project(STACK, of(each), PRICES, today=TODAY).monthly_usd for each in (usage, more))
    assert more_usd >= less_usd * (1 - 1e-9)


def test_every_priced_type_asks_for_prices_that_there_are():
    """A name that the table does not hold would show up as unpriced: here none may."""
    properties = {
        "Handler": "lambdas.request.predict.handler",
        "TableName": "runs",
        "DefinitionString": '{"States": {"A": {"Resource": "sagemaker:createEndpoint"}}}',
    }
    everything = [resource(type, **properties) for type in PRICED]
    assert projected(month(), *everything).unpriced == []


def test_a_run_costs_what_the_bill_is_higher_by_with_one_more():
    usage = month({**requests(MILLION), "training_minutes": 10.0, "start_minutes": 2.0, "spot_saving_percent": 0.0})
    flow = machine("sagemaker:createTrainingJob.sync")
    of_one = run_usd([flow, function("judge"), function("predict")], usage, PRICES, today=TODAY)
    with_four = month({**requests(MILLION), "training_minutes": 10.0, "start_minutes": 2.0, "training_runs": 4.0})
    without = month({**requests(MILLION), "training_minutes": 10.0, "start_minutes": 2.0, "training_runs": 0.0})
    bills = [projected(each, flow, function("judge"), function("predict")).monthly_usd for each in (with_four, without)]
    assert of_one == pytest.approx((bills[0] - bills[1]) / 4) and of_one > 0.04  # 12 minutes of $0.23 an hour


def test_an_experiment_has_a_second_endpoint_for_its_days_and_is_looked_at_ever_less_often():
    serving = {"mode": "instance", "instance": "ml.m5.large", "instances": 2}
    usage = month({**requests(MILLION), "training_runs": 0.0, "experiment_days": 14.0}, serving=serving)
    line = only(projected(usage, machine("sagemaker:createEndpoint")).lines, "Host:ml.m5.large")
    # 2 machines x (730 h + 14 days)
    assert line.quantity == pytest.approx(2 * (730 + 14 * 24))
    # one a minute for 200 minutes, then one in a 200th of its age: 200 + 200 ln(1,209,600 s / 12,000 s)
    assert usage.looks == pytest.approx(1122.6, abs=0.1)
    assert month({"training_runs": 0.0, "experiment_days": 0.1}).looks == pytest.approx(144)
    assert month({"training_runs": 0.0}).looks == 0


def test_calls_that_pair_an_experiments_rows_are_paid_like_requests():
    def seconds(days: float) -> float:
        given = {**requests(MILLION), "scoring_ms": 100.0, "predict_ms": 200.0, "training_runs": 0.0}
        usage = month({**given, "experiment_days": days})
        return only(projected(usage, machine("sagemaker:createEndpoint")).lines, "ServerlessInf:Mem-2GB").quantity

    paired = seconds(15.0) - seconds(0.0)
    assert paired > 0 and seconds(30.0) - seconds(0.0) == pytest.approx(2 * paired)
