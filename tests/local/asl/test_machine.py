"""A definition is refused for what Step Functions refuses, with the code and the place that it gives."""

import pytest

from local.asl.machine import problems

END = {"Type": "Pass", "End": True}
CALL = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
SCHEMA, WAY = "SCHEMA_VALIDATION_FAILED", "MISSING_TRANSITION_TARGET"


def machine(state: dict | None = None, language: str = "JSONata", **states) -> dict:
    named = {"A": state, **states} if state else states
    return {"QueryLanguage": language, "StartAt": "A", "States": named}


def found(definition, **how) -> list[tuple[str, str]]:
    return [(problem.code, problem.location) for problem in problems(definition, **how)]


IN_JSONATA = [
    {"Type": "Pass", "Output": {"a": "{% $states.input.a + 1 %}"}, "Assign": {"x": [1]}, "End": True},
    {"Type": "Wait", "Seconds": "{% $x %}", "End": True},
    {"Type": "Wait", "Timestamp": "2030-01-01T00:00:00Z", "End": True},
    {"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Next": "Z"}], "Default": "Z", "Output": 1},
    {
        **CALL,
        "Arguments": {"FunctionName": "f", "Payload": "{% $states.input %}"},
        "TimeoutSeconds": 5,
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 2, "JitterStrategy": "FULL"}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Assign": {"why": "{% $states.errorOutput %}"}, "Next": "Z"}],
    },
    {**CALL, "Resource": "arn:aws:states:::aws-sdk:applicationautoscaling:putScalingPolicy"},
    {**CALL, "Resource": "arn:aws:states:::aws-sdk:sfn:describeExecution"},
    {**CALL, "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync"},
    {**CALL, "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "HeartbeatSeconds": 5},
    {**CALL, "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f:live"},
    {"Type": "Map", "Items": "{% [1] %}", "ItemProcessor": {"StartAt": "B", "States": {"B": END}}, "End": True},
    {"Type": "Parallel", "Branches": [{"StartAt": "B", "States": {"B": END}}], "Arguments": {}, "End": True},
    {"Type": "Succeed", "Output": "{% 1 %}"},
    {"Type": "Fail", "Error": "{% 'E' %}", "Cause": "because"},
]
IN_JSONPATH = [
    {"Type": "Pass", "Parameters": {"s.$": "States.Format('{}', $.a[0]['b'])"}, "ResultPath": "$.r.s", "End": True},
    {"Type": "Pass", "InputPath": "$.a[?(@.b > 1)]", "OutputPath": None, "Assign": {"x.$": "$.a"}, "End": True},
    {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% 1 %}", "End": True},
    {"Type": "Wait", "SecondsPath": "$.s", "End": True},
    {"Type": "Choice", "Choices": [{"Variable": "$.a", "NumericGreaterThanEqualsPath": "$.b", "Next": "Z"}]},
    {"Type": "Choice", "Choices": [{"Not": {"Variable": "$.a", "IsPresent": True}, "Next": "Z"}]},
    {**CALL, "Parameters": {"FunctionName": "f"}, "ResultSelector": {"a.$": "$.Payload"}, "TimeoutSecondsPath": "$.t"},
]


def with_end(state: dict) -> dict:
    return {"Z": END} if "Next" not in state and '"Z"' in str(state).replace("'", '"') else {}


@pytest.mark.parametrize("state", IN_JSONATA)
def test_a_state_in_jsonata_that_aws_takes_has_no_problem(state):
    assert problems(machine(state, **with_end(state))) == []


@pytest.mark.parametrize("state", IN_JSONPATH)
def test_a_state_in_jsonpath_that_aws_takes_has_no_problem(state):
    assert problems(machine(state, "JSONPath", **with_end(state))) == []


WRONG = [
    ({"Type": "Foo", "End": True}, SCHEMA, "/States/A/Type"),
    ({**END, "Foo": 1}, SCHEMA, "/States/A"),
    ({**END, "Parameters": {}}, SCHEMA, "/States/A"),
    ({**END, "QueryLanguage": "JSONPath"}, SCHEMA, "/States/A"),
    ({**END, "Output": "{% 1 + %}"}, SCHEMA, "/States/A/Output"),
    ({**END, "Output": "{% 1"}, SCHEMA, "/States/A/Output"),
    ({**END, "Assign": {"states": 1}}, SCHEMA, "/States/A/Assign"),
    ({**END, "End": False}, SCHEMA, "/States/A/End"),
    ({"Type": "Task", "End": True}, SCHEMA, "/States/A"),
    ({**CALL, "Resource": "arn:aws:states:::foo:bar"}, "INVALID_RESOURCE", "/States/A/Resource"),
    ({**CALL, "Resource": "arn:aws:states:::aws-sdk:s3:fooBar"}, "INVALID_RESOURCE", "/States/A/Resource"),
    ({**CALL, "Resource": "arn:aws:states:::aws-sdk:s3:getObject.sync"}, "INVALID_RESOURCE", "/States/A/Resource"),
    ({**CALL, "Resource": "f"}, "INVALID_RESOURCE", "/States/A/Resource"),
    ({**CALL, "TimeoutSeconds": 0}, SCHEMA, "/States/A/TimeoutSeconds"),
    ({**CALL, "TimeoutSeconds": 5, "HeartbeatSeconds": 5}, SCHEMA, "/States/A"),
    ({**CALL, "Retry": [{}]}, SCHEMA, "/States/A/Retry[0]"),
    ({**CALL, "Retry": [{"ErrorEquals": ["E"], "BackoffRate": 0.5}]}, SCHEMA, "/States/A/Retry[0]/BackoffRate"),
    ({**CALL, "Retry": [{"ErrorEquals": ["E"], "MaxAttempts": -1}]}, SCHEMA, "/States/A/Retry[0]/MaxAttempts"),
    (
        {**CALL, "Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["E"]}]},
        SCHEMA,
        "/States/A/Retry[0]/ErrorEquals",
    ),
    ({**CALL, "Catch": [{"ErrorEquals": ["States.ALL", "E"], "Next": "A"}]}, SCHEMA, "/States/A/Catch[0]/ErrorEquals"),
    ({**CALL, "Catch": [{"ErrorEquals": ["States.ALL"]}]}, SCHEMA, "/States/A/Catch[0]"),
    ({"Type": "Wait", "Seconds": 1, "Timestamp": "2030-01-01T00:00:00Z", "End": True}, SCHEMA, "/States/A"),
    ({"Type": "Wait", "Seconds": -1, "End": True}, SCHEMA, "/States/A/Seconds"),
    ({"Type": "Wait", "Timestamp": "tomorrow", "End": True}, SCHEMA, "/States/A/Timestamp"),
    ({"Type": "Map", "End": True}, SCHEMA, "/States/A"),
    ({"Type": "Parallel", "End": True}, SCHEMA, "/States/A"),
]


@pytest.mark.parametrize(("state", "code", "place"), WRONG)
def test_a_wrong_state_is_refused_with_its_place(state, code, place):
    assert found(machine(state)) == [(code, place)]


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ({**END, "InputPath": "$["}, "/States/A/InputPath"),
        ({**END, "ResultPath": "$.a[*]"}, "/States/A/ResultPath"),
        ({**END, "Parameters": {"a.$": "b"}}, "/States/A/Parameters/a.$"),
        ({**CALL, "Arguments": {}}, "/States/A"),
        ({**END, "Parameters": {"a.$": "States.Nothing($.a)"}}, "/States/A/Parameters/a.$"),
    ],
)
def test_a_wrong_state_in_jsonpath_is_refused_with_its_place(state, place):
    assert found(machine(state, "JSONPath")) == [(SCHEMA, place)]


@pytest.mark.parametrize(
    ("rule", "language", "place"),
    [
        ({"Condition": "{% true %}"}, "JSONata", "/States/A/Choices[0]"),
        ({"Condition": 1, "Next": "Z"}, "JSONata", "/States/A/Choices[0]/Condition"),
        ({"Variable": "$.a", "Next": "Z"}, "JSONPath", "/States/A/Choices[0]"),
        ({"Variable": "$.a", "IsNull": True, "IsPresent": True, "Next": "Z"}, "JSONPath", "/States/A/Choices[0]"),
        ({"And": [{"Variable": "$.a"}], "Next": "Z"}, "JSONPath", "/States/A/Choices[0]/And[0]"),
    ],
)
def test_a_wrong_rule_of_a_choice_is_refused_with_its_place(rule, language, place):
    choice = {"Type": "Choice", "Choices": [rule], "Default": "Z"}
    assert found(machine(choice, language, Z=END)) == [(SCHEMA, place)]


def test_a_way_to_nowhere_and_a_state_that_nothing_reaches_are_refused():
    lost = {"Type": "Pass", "Next": "C"}
    assert found(machine(lost, B=END)) == [(WAY, "/States/A/Next"), (WAY, "/States/B")]
    assert found({**machine(END), "StartAt": "Z"}) == [(WAY, "/StartAt"), (WAY, "/States/A")]
    caught = {**CALL, "Catch": [{"ErrorEquals": ["E"], "Next": "C"}]}
    assert found(machine(caught)) == [(WAY, "/States/A/Catch[0]/Next")]


def test_what_never_ends_is_refused():
    assert found(machine({"Type": "Pass", "Next": "A"})) == [("MISSING_END_STATE", "/")]


def test_a_name_that_is_too_long_or_stands_twice_is_refused():
    assert found({"StartAt": "a" * 81, "States": {"a" * 81: END}}) == [("INVALID_STATE_NAME", f"/States/{'a' * 81}")]
    branch = {"StartAt": "B", "States": {"B": END}}
    twice = {"Type": "Parallel", "Branches": [branch, branch], "End": True}
    assert found(machine(twice)) == [("DUPLICATE_STATE_NAME", "/States/A/Branches[1]/States/B")]


def test_what_is_nested_is_checked_and_may_not_set_a_variable_of_the_scope_around_it():
    within = {"StartAt": "B", "States": {"B": {**END, "Assign": {"x": 1}, "Foo": 1}}}
    begin = {"Type": "Pass", "Assign": {"x": 1}, "Next": "M"}
    place = "/States/M/ItemProcessor/States/B"
    mapped = {"Type": "Map", "Items": [1], "ItemProcessor": within, "End": True}
    assert found(machine(begin, M=mapped)) == [(SCHEMA, place), (SCHEMA, f"{place}/Assign")]


@pytest.mark.parametrize("resource", ["sagemaker:createTrainingJob.sync", "sqs:sendMessage.waitForTaskToken"])
def test_an_express_machine_waits_for_nothing(resource):
    waiting = machine({**CALL, "Resource": f"arn:aws:states:::{resource}"})
    assert found(waiting) == []
    assert found(waiting, express=True) == [("INVALID_RESOURCE", "/States/A/Resource")]


@pytest.mark.parametrize("text", ["not json", "[]", "null", '{"StartAt":', "[" * 100_000])
def test_what_is_no_json_object_is_refused(text):
    assert found(text) == [("INVALID_JSON_DESCRIPTION", "/")]


@pytest.mark.parametrize(
    ("definition", "place"),
    [
        ({**machine(END), "Foo": 1}, "/"),
        ({**machine(END), "TimeoutSeconds": 0}, "/TimeoutSeconds"),
        ({**machine(END), "QueryLanguage": "XPath"}, "/QueryLanguage"),
        ({"StartAt": "A", "States": {}}, "/"),
        ({"StartAt": "A", "States": {"A": 1}}, "/"),
    ],
)
def test_a_wrong_field_of_the_machine_is_refused_with_its_place(definition, place):
    assert found(definition) == [(SCHEMA, place)]
