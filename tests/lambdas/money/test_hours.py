from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.config.sections import Serving
from lambdas.money import hours as module
from lambdas.money.hours import Effects, NotTended, Up, find, handler, make, remove, tend
from tests.lambdas import stage

OPEN, CLOSED = datetime(2026, 1, 14, 12, tzinfo=UTC), datetime(2026, 1, 14, 22, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
R1 = "flights-local-r-1"
OFFICE = {"office_hours": "mon-fri 07:00-19:00 Europe/Berlin"}
NEVER_NOW = {"office_hours": "mon 00:00-00:01", "wake_minutes": 0}  # these tests do not run in that minute of the week


@pytest.fixture
def settings(monkeypatch):
    def use(**serving):
        monkeypatch.setattr(module, "CONFIG", replace(stage.CONFIG, serving=Serving(**serving)))

    use(**OFFICE)
    return use


def tended(now, up, *, asked=False, woken_at=None) -> list:
    did = []

    def note(what):
        return lambda name: did.append((what, name))

    tend(
        list(up),
        now=now,
        woken_at=woken_at,
        effects=Effects(
            find=up.get,
            asked=lambda: asked,
            make=note("made"),
            follow=note("follows"),
            remove=note("removed"),
            report=lambda done: did.append("reported"),
        ),
    )
    return did


@pytest.mark.parametrize(
    ("now", "up", "did"),
    [
        (OPEN, None, [("made", R1), "reported"]),
        (OPEN, Up("InService", LONG_AGO), []),
        (OPEN, Up("InService", OPEN - timedelta(minutes=5)), [("follows", R1)]),
        (OPEN, Up("Creating", OPEN), []),
        (OPEN, Up("Deleting", LONG_AGO), []),
        (OPEN, Up("Failed", LONG_AGO), [("removed", R1), "reported"]),  # the next look makes it anew
        (CLOSED, None, []),
        (CLOSED, Up("InService", LONG_AGO), [("removed", R1), "reported"]),
        (CLOSED, Up("Creating", CLOSED), []),
        (CLOSED, Up("Failed", LONG_AGO), [("removed", R1), "reported"]),
    ],
)
def test_what_is_there_becomes_what_is_wanted(settings, now, up, did):
    assert tended(now, {R1: up}) == did


def test_without_hours_an_endpoint_that_somebody_deleted_is_made_again_and_no_other_is_touched(settings):
    settings()
    there = Up("InService", LONG_AGO)
    for now in (OPEN, CLOSED):
        assert tended(now, {R1: None, "flights-local-r-2": there}) == [("made", R1), "reported"]


def test_every_release_that_the_routing_names_sleeps_and_wakes(settings):
    there = Up("InService", LONG_AGO)
    assert tended(CLOSED, {R1: there, "flights-local-r-2": there})[:2] == [
        ("removed", R1),
        ("removed", "flights-local-r-2"),
    ]


def test_it_is_idle_when_nobody_asked_for_so_long(settings):
    settings(**OFFICE, idle_hours=2)
    there = {R1: Up("InService", LONG_AGO)}
    assert tended(OPEN, there, asked=True) == []
    assert tended(OPEN, there) == [("removed", R1), "reported"]


def test_a_request_wakes_it_where_settings_say_so(settings):
    settings(**OFFICE, outside="wake")
    assert tended(CLOSED, {R1: None}, woken_at=CLOSED) == [("made", R1), "reported"]
    assert tended(CLOSED, {R1: Up("InService", LONG_AGO)}, asked=True) == []


def test_an_endpoint_that_cannot_be_made_keeps_no_other_from_its_hours(settings):
    did = []

    def make(name):
        if name == "broken":
            raise RuntimeError("Could not find endpoint configuration")
        did.append(name)

    with pytest.raises(NotTended, match="^broken not made: Could not find endpoint configuration$"):
        tend(
            ["broken", R1],
            now=OPEN,
            woken_at=None,
            effects=Effects(
                find=lambda name: None,
                asked=pytest.fail,
                make=make,
                follow=pytest.fail,
                remove=pytest.fail,
                report=did.append,
            ),
        )
    assert did == [R1, {"made": [R1], "removed": []}]


# ---- on SageMaker


@pytest.fixture
def hosted(aws):
    role = "arn:aws:iam::000000000000:role/any"
    aws.sagemaker.create_model(
        ModelName=R1, ExecutionRoleArn=role, PrimaryContainer={"Image": "image", "ModelDataUrl": "s3://lake/m"}
    )
    variant = {"VariantName": "model", "ModelName": R1, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    aws.sagemaker.create_endpoint_config(EndpointConfigName=R1, ProductionVariants=[variant])
    aws.route(release="r-1", endpoint=R1)
    return aws


def endpoints(aws) -> list[str]:
    return [one["EndpointName"] for one in aws.sagemaker.list_endpoints()["Endpoints"]]


def test_it_goes_at_night_and_comes_back_from_the_configuration_that_stayed(hosted, settings, capsys):
    settings()
    assert handler({}, None) == {"made": [R1], "removed": []}
    assert handler({}, None) == {"made": [], "removed": []}
    settings(**NEVER_NOW)
    assert handler({}, None) == {"made": [], "removed": [R1]}
    assert handler({}, None) == {"made": [], "removed": []}
    assert endpoints(hosted) == []
    settings()
    assert handler({}, None)["made"] == [R1]
    (tags,) = [
        hosted.sagemaker.list_tags(ResourceArn=hosted.sagemaker.describe_endpoint(EndpointName=R1)["EndpointArn"])[
            "Tags"
        ]
    ]
    assert tags == [{"Key": "fairway", "Value": "flights-local"}]
    assert capsys.readouterr().out.count(f'"made": ["{R1}"]') == 2


def test_without_a_release_there_is_nothing_to_do(aws, settings):
    assert handler({}, None) == {"made": [], "removed": []}


def test_making_and_removing_twice_is_as_good_as_once(hosted):
    for _ in range(2):
        make(R1)
    assert find(R1).status == "InService"
    for _ in range(2):
        remove(R1)
    assert find(R1) is None


def test_machines_follow_the_requests_again_once_they_are_back(hosted, settings, monkeypatch):
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/{endpoint}/variant/model",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    follow = {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        "TargetValue": 1500,
    }
    policy = {
        **target,
        "PolicyName": "follow-the-requests",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": follow,
    }
    monkeypatch.setattr(module, "SCALING", [{**target, "MinCapacity": 1, "MaxCapacity": 4}, policy])
    settings()
    handler({}, None)
    handler({}, None)
    (found,) = module.autoscaling().describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (found["ResourceId"], found["MaxCapacity"]) == (f"endpoint/{R1}/variant/model", 4)
    settings(**NEVER_NOW)
    handler({}, None)
    assert module.autoscaling().describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"] == []
