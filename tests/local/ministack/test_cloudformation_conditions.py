import pytest

from local.ministack import load_plugins
from local.ministack.cloudformation_conditions import evaluate

LIST = {"Names": {"Type": "CommaDelimitedList"}, "Stage": {"Type": "String"}}
GIVEN_NAMES = {"Fn::Not": [{"Fn::Equals": ["", {"Fn::Join": ["", {"Ref": "Names"}]}]}]}


@pytest.fixture(scope="module", autouse=True)
def _plugins():
    load_plugins()


def holds(condition, names: str = "a, b", **others) -> bool:
    template = {
        "Parameters": LIST,
        "Conditions": {"Asked": condition, **others},
        "Mappings": {"Sizes": {"prod": {"n": "3"}}},
    }
    return evaluate(template, {"Names": {"Value": names}, "Stage": {"Value": "prod"}})["Asked"]


def test_an_empty_list_is_told_from_one_that_is_given_as_in_the_bootstrap_of_cdk():
    assert holds(GIVEN_NAMES)
    assert not holds(GIVEN_NAMES, names="")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Stage"}, "prod"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Fn::Select": ["1", {"Ref": "Names"}]}, "b"),
        ({"Fn::Select": [0, {"Fn::Split": ["-", "x-y"]}]}, "x"),
        ({"Fn::Join": ["/", {"Ref": "Names"}]}, "a/b"),
        ({"Fn::Sub": "${Stage}-1"}, "prod-1"),
        ({"Fn::Sub": ["${Own}-${Stage}", {"Own": "x"}]}, "x-prod"),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "n"]}, "3"),
        ({"Fn::If": ["Other", "yes", "no"]}, "no"),
        (True, "true"),
    ],
)
def test_a_value_in_a_condition_is_what_its_functions_give(value, expected):
    assert holds({"Fn::Equals": [value, expected]}, Other={"Fn::Equals": ["a", "b"]})
    assert not holds({"Fn::Equals": [value, "else"]}, Other={"Fn::Equals": ["a", "b"]})


def test_conditions_are_made_of_others():
    true, false = {"Fn::Equals": ["a", "a"]}, {"Fn::Equals": ["a", "b"]}
    assert holds({"Fn::And": [{"Condition": "T"}, {"Fn::Not": [{"Condition": "F"}]}]}, T=true, F=false)
    assert not holds({"Fn::Or": [{"Condition": "F"}, false]}, F=false)


def test_a_function_that_conditions_do_not_have_is_refused():
    with pytest.raises(ValueError, match="Fn::GetAtt cannot be used in a condition"):
        holds({"Fn::Equals": [{"Fn::GetAtt": ["A", "Arn"]}, "x"]})
