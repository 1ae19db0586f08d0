"""Money on the local AWS with IAM enforced: a spent budget, office hours, and an endpoint that everybody forgot."""

import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.journeys.conftest import Journey, drafted, eventually, write_csv

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    table = write_csv(tmp_path_factory.mktemp("money") / "visits.csv", ["pages", "minutes", "buys"], visits(2000))
    with drafted(table, target="buys", name="till") as journey:
        set_in(journey, "business", false_negative_usd=-1.0)  # the fallback says yes to all, which costs nothing yet
        set_in(journey, "budget", monthly_usd=0.01, stop_training_percent=100, require_positive_value=True)
        journey.fairway("up", "--enforce-iam")
        journey.fairway("load", table)
        yield journey


def visits(count: int) -> Iterator[list]:
    draw = random.Random(5)
    for _ in range(count):
        pages = draw.randint(0, 40)
        yield [
            pages,
            f"{draw.gauss(10, 3):.1f}",
            "yes" if draw.random() < 1 / (1 + 2.718 ** ((15 - pages) / 4)) else "no",
        ]


def set_in(journey: Journey, section: str, **values) -> None:
    """Settings of a section of fairway.toml, which may have it already."""
    file = journey.project / "fairway.toml"
    text = file.read_text()
    for name, value in values.items():
        line = f"{name} = {json.dumps(value)}\n"
        text = re.sub(rf"(?m)^{name} = .*\n", "", text)
        text = (
            text.replace(f"[{section}]\n", f"[{section}]\n{line}")
            if f"[{section}]\n" in text
            else f"{text}\n[{section}]\n{line}"
        )
    file.write_text(text)


def call(journey: Journey, verb: str, **event):
    """What the function answers; it must not fail."""
    name = f"{journey.project.name}-local-{verb}"
    reply = journey.aws("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    answer = json.loads(reply["Payload"].read())
    assert "FunctionError" not in reply, answer
    return answer


def announced(journey: Journey):
    """Reads what the alarms topic says from now on."""
    queue = journey.aws("sqs").create_queue(QueueName="operator")["QueueUrl"]
    address = journey.aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    send = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": address,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [send]})
    journey.aws("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    journey.aws("sns").subscribe(TopicArn=journey.address()["alarms"], Protocol="sqs", Endpoint=address)

    def read() -> list[str]:
        found = (
            journey.aws("sqs")
            .receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            .get("Messages", [])
        )
        for each in found:
            journey.aws("sqs").delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
        return [json.loads(each["Body"])["Message"] for each in found]

    return read


def later(**span) -> str:
    return (datetime.now(UTC) + timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


def not_now() -> str:
    return f"{DAYS[(datetime.now(UTC).weekday() + 3) % 7]} 10:00-11:00"


def endpoints(journey: Journey) -> list[str]:
    return [one["EndpointName"] for one in journey.aws("sagemaker").list_endpoints()["Endpoints"]]


def ask(journey: Journey) -> dict:
    (answer,) = journey.predict({"pages": 30, "minutes": 11.0})
    return answer


def test_a_spent_budget_refuses_training_until_somebody_resumes(shop):
    read = announced(shop)
    assert call(shop, "guard")["actions"] == ["stop_training"]
    (said,) = read()
    assert said.endswith("is spent: new training runs are refused. `fairway resume --stage local` undoes it.")
    assert call(shop, "guard")["actions"] == []

    refused = shop.run("train", "--json")
    assert refused.returncode == 1
    assert "of the budget of $0.01 was spent" in json.loads(refused.stdout)["message"]

    assert shop.fairway("resume")["resumed"] == ["stop_training"]
    assert call(shop, "guard")["actions"] == []  # told once that it may, it asks no more this month
    assert shop.fairway("train")["run"]


def test_a_model_that_costs_more_than_it_brings_is_refused_and_one_that_pays_is_not(shop):
    refused = shop.fairway("train")
    assert refused["verdict"] == "rejected"
    assert ": value not shown to exceed cost (required by budget.require_positive_value)" in refused["reason"]
    assert ask(shop)["reason"] == "no release yet"

    set_in(shop, "business", false_positive_usd=-3.0)
    set_in(shop, "serving", office_hours=not_now())  # for the test after this one: a deployment takes its time
    shop.fairway("up", "--enforce-iam")
    trained = shop.fairway("train")
    assert trained["verdict"] == "approved", trained["reason"]
    assert ask(shop)["source"] == "model"
    cost = shop.fairway("cost", "--hosting")
    assert (cost["worth"]["positive"], cost["hosting"]["release"]) == (True, trained["release"])
    assert cost["worth"]["outcomes"] > 100


def answered_by(journey, source: str) -> dict | None:
    answer = ask(journey)
    return answer if answer["source"] == source else None


def test_outside_office_hours_the_function_says_whose_place_it_takes_and_asking_wakes_it_where_that_is_set(shop):
    (endpoint,) = endpoints(shop)
    assert call(shop, "hours") == {"made": [], "removed": [endpoint]}
    answer = eventually(lambda: answered_by(shop, "function"), within_s=60)  # a busy machine may open it too late
    assert answer["instead_of"] == "outside office hours"
    assert shop.fairway("status")["champion"] is not None

    set_in(shop, "serving", outside="wake")
    shop.fairway("up", "--enforce-iam")
    answer = ask(shop)
    assert answer.get("instead_of", answer["reason"]) == "asleep, waking"
    eventually(lambda: ask(shop)["source"] == "model", within_s=60)
    assert endpoints(shop) == [endpoint]
    assert call(shop, "hours", time=later(minutes=50)) == {"made": [], "removed": []}  # somebody asked within the hour
    assert call(shop, "hours", time=later(hours=3)) == {"made": [], "removed": [endpoint]}
    eventually(lambda: endpoints(shop) == [])


def test_a_forgotten_endpoint_is_gone_within_the_hour_and_the_saving_is_told(shop):
    sagemaker, read = shop.aws("sagemaker"), announced(shop)
    known, model = endpoints(shop), sagemaker.list_models()["Models"][0]["ModelName"]
    variant = {"VariantName": "all", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="a-try", ProductionVariants=[variant])
    tags = [{"Key": "fairway", "Value": f"{shop.project.name}-local"}]
    sagemaker.create_endpoint(EndpointName="a-try", EndpointConfigName="a-try", Tags=tags)
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="a-try", WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    assert call(shop, "reap") == {"ended": [], "saves_usd_per_month": 0}  # it is young
    reaped = call(shop, "reap", time=later(hours=1))
    assert reaped == {"ended": ["a-try"], "saves_usd_per_month": pytest.approx(83.95)}
    (said,) = [message for message in read() if "a-try" in message and "belongs to no" in message]
    assert re.fullmatch(r"endpoint a-try, created .*Z, belongs to no .*; ending it saves \$83.95 a month", said)
    eventually(lambda: endpoints(shop) == known)
