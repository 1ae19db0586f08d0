"""A project whose functions answer with the release's model and without any endpoint: released, and rolled back."""

import pytest

from tests.journeys.conftest import Journey, drafted, eventually, write_csv
from tests.journeys.customers import HEADER, customers

CUSTOMER = {"size": 185.0, "orders": 3, "plan": "pro"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A stage in function mode, with a champion."""
    folder = tmp_path_factory.mktemp("functions")
    table = write_csv(folder / "first.csv", HEADER, customers(400, by="size", seed=1))
    with drafted(table, target="left", name="shop") as journey:
        settings = journey.project / "fairway.toml"
        text = settings.read_text()
        assert "\n[serving]" not in text
        settings.write_text(text + '\n[serving]\nmode = "function"\n')
        journey.fairway("up", "--enforce-iam")
        journey.fairway("load", table)
        champion = journey.fairway("train")["release"]
        yield journey, champion, write_csv(folder / "more.csv", HEADER, customers(2000, by="orders", seed=2))


def test_the_function_answers_with_each_release_in_turn_and_there_is_never_an_endpoint(shop):
    journey, first, more = shop
    before = answer(journey, by=first)
    assert before["prediction"] is True  # by the size

    journey.fairway("load", more)
    trained = journey.fairway("train")
    assert trained["verdict"] == "approved", trained["reason"]
    after = answer(journey, by=trained["release"])
    assert after["prediction"] is False  # by the orders

    assert journey.fairway("rollback")["champion"] == first
    assert answer(journey, by=first)["probability"] == before["probability"]
    sagemaker = journey.aws("sagemaker")
    made = (sagemaker.list_endpoints()["Endpoints"], sagemaker.list_models()["Models"])
    assert made == ([], [])


def answer(journey: Journey, *, by: str) -> dict:
    """What the function answers once its routing has that release: with the model, and by nothing else."""

    def found() -> dict | None:
        (one,) = journey.predict(CUSTOMER)
        return one if one["release"] == by and one["source"] == "function" else None

    one = eventually(found, within_s=60)
    assert (one["role"], one["reason"], "instead_of" in one) == ("champion", "champion", False)
    return one
