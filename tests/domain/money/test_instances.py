import boto3
import pytest

from domain.money.instances import InstanceError, check_use, types, usable
from domain.money.prices import read_rows, without_region
from tests.domain.money.scenario import PRICES

ENUMS = {
    "Host": "ProductionVariantInstanceType",
    "Train": "TrainingInstanceType",
    "Processing": "ProcessingInstanceType",
    "Tsform": "TransformInstanceType",
}


def test_the_machines_and_their_uses_are_those_that_sagemaker_takes():
    sagemaker = boto3.client("sagemaker", region_name="us-east-1").meta.service_model
    for use, enum in ENUMS.items():
        assert {name for name, each in types().items() if use in each.uses} == set(sagemaker.shape_for(enum).enum)


def test_no_machine_has_a_price_for_a_use_it_cannot_be_put_to():
    named = [without_region(row["usage_type"], row["region"]).partition(":") for row in read_rows()]
    priced = {(use, instance) for use, _, instance in named if use in ENUMS and instance.startswith("ml.")}
    assert {use for use, _ in priced} == set(ENUMS)
    assert [(use, instance) for use, instance in priced if use not in types()[instance].uses] == []


def test_every_machine_with_a_price_has_a_known_size():
    hosts = {usage_type.partition(":")[2] for _, usage_type, _ in PRICES if usage_type.startswith("Host:ml.")}
    assert hosts <= set(usable("Host"))


@pytest.mark.parametrize(
    ("instance", "use"),
    [
        ("ml.t3.medium", "Host"),
        ("ml.m7g.large", "Host"),
        ("ml.c7g.large", "Train"),
        ("ml.c5.large", "Train"),
        ("ml.t3.large", "Tsform"),
        ("ml.x", "Host"),
    ],
)
def test_a_machine_is_refused_for_what_it_cannot_do(instance, use):
    with pytest.raises(
        InstanceError,
        match=f"training.instance = '{instance}': must be an instance type that can .* on SageMaker, such as ml",
    ):
        check_use(instance, use, "training.instance")


@pytest.mark.parametrize(
    ("instance", "use"), [("ml.t2.medium", "Host"), ("ml.c7g.large", "Host"), ("ml.t3.large", "Processing")]
)
def test_a_machine_passes_for_what_it_can_do(instance, use):
    assert check_use(instance, use, "serving.instance") is None
