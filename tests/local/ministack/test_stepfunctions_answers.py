"""What states give and set, what starts an execution once, and where one must end."""

import json

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import eventually, new_name, over

SAID = {"Type": "Pass", "Output": "{% [$x, $states.input] %}", "End": True}


def gives(aws, states: dict, given=None, **fields):
    """(status, what came out or the error)."""
    ended = aws.run(aws.machine(states, **fields), given)
    return ended["status"], ended["output"] if ended["status"] == "SUCCEEDED" else ended["error"]


def test_a_succeed_has_an_output(aws):
    assert gives(aws, {"A": {"Type": "Succeed", "Output": "{% 1 + 1 %}"}}) == ("SUCCEEDED", 2)


def test_a_choice_that_falls_to_its_default_has_the_output_and_the_variables_of_the_state(aws):
    rule = {"Condition": "{% $states.input.first %}", "Assign": {"x": 1}, "Output": "rule", "Next": "B"}
    choice = {"Type": "Choice", "Choices": [rule], "Default": "B", "Output": "default", "Assign": {"x": 2}}
    states = {"A": choice, "B": SAID}
    assert gives(aws, states, {"first": True}) == ("SUCCEEDED", [1, "rule"])
    assert gives(aws, states, {"first": False}) == ("SUCCEEDED", [2, "default"])


def test_a_condition_that_is_not_a_boolean_fails(aws):
    choice = {"Type": "Choice", "Choices": [{"Condition": "{% 1 %}", "Next": "B"}], "Default": "B"}
    assert gives(aws, {"A": choice, "B": {"Type": "Succeed"}}) == ("FAILED", "States.QueryEvaluationError")


def test_variables_are_set_at_once_from_their_values_before(aws):
    begin = {"Type": "Pass", "Assign": {"a": 1, "b": 2}, "Next": "Swap"}
    swap = {"Type": "Pass", "Assign": {"a": "{% $b %}", "b": "{% $a %}"}, "Output": "{% $a %}", "Next": "C"}
    said = {"Type": "Pass", "Output": "{% [$a, $b, $states.input] %}", "End": True}
    assert gives(aws, {"Begin": begin, "Swap": swap, "C": said}) == ("SUCCEEDED", [2, 1, 1])


def test_variables_in_jsonpath_are_set_and_read(aws):
    states = {
        "A": {"Type": "Pass", "Assign": {"x.$": "$.a", "fixed": [1]}, "Next": "B"},
        "B": {"Type": "Wait", "Seconds": 0, "Assign": {"y.$": "$x.deep"}, "Next": "C"},
        "C": {"Type": "Pass", "Parameters": {"y.$": "$y", "fixed.$": "$fixed[0]"}, "End": True},
    }
    answer = gives(aws, states, {"a": {"deep": 5}}, QueryLanguage="JSONPath")
    assert answer == ("SUCCEEDED", {"y": 5, "fixed": 1})


def test_a_parallel_has_arguments_an_output_and_variables_and_its_branches_keep_theirs(aws):
    def branch(name: str) -> dict:
        said = {"Type": "Pass", "Assign": {"own": 1}, "Output": "{% $states.input.q + $x %}", "End": True}
        return {"StartAt": name, "States": {name: said}}

    states = {
        "A": {"Type": "Pass", "Assign": {"x": 10}, "Next": "P"},
        "P": {
            "Type": "Parallel",
            "Arguments": {"q": "{% $x %}"},
            "Branches": [branch("B"), branch("C")],
            "Assign": {"total": "{% $sum($states.result) %}"},
            "Output": "{% $count($states.result) %}",
            "Next": "Z",
        },
        "Z": {"Type": "Pass", "Output": "{% [$total, $states.input, $exists($own)] %}", "End": True},
    }
    assert gives(aws, states) == ("SUCCEEDED", [40, 2, False])


def test_sizes_are_counted_in_bytes_of_utf_8(aws):
    flows, machine = aws.client("stepfunctions"), aws.machine({"A": {"Type": "Pass", "End": True}})

    def start(thousands: int) -> str:
        given = json.dumps({"a": "€" * thousands * 1024}, ensure_ascii=False)  # three bytes each
        return flows.start_execution(stateMachineArn=machine, input=given)["executionArn"]

    execution = start(85)
    assert eventually(lambda: over(flows.describe_execution(executionArn=execution)))["status"] == "SUCCEEDED"
    with pytest.raises(ClientError, match="less than or equal to 262144"):
        start(86)


def test_an_execution_is_started_once_by_its_name_and_its_input(aws):
    flows, name = aws.client("stepfunctions"), new_name("run")
    machine = aws.machine({"A": {"Type": "Wait", "Seconds": 60, "End": True}})
    first = flows.start_execution(stateMachineArn=machine, name=name, input='{"a": 1}')
    again = flows.start_execution(stateMachineArn=machine, name=name, input='{"a": 1}')
    assert (again["executionArn"], again["startDate"]) == (first["executionArn"], first["startDate"])
    with pytest.raises(flows.exceptions.ExecutionAlreadyExists):
        flows.start_execution(stateMachineArn=machine, name=name, input='{"a": 2}')
    flows.stop_execution(executionArn=first["executionArn"])
    with pytest.raises(flows.exceptions.ExecutionAlreadyExists):
        flows.start_execution(stateMachineArn=machine, name=name, input='{"a": 1}')


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"name": "a b"}, "InvalidName"),
        ({"input": "not json"}, "InvalidExecutionInput"),
    ],
)
def test_an_execution_with_a_wrong_name_or_input_is_refused(aws, request_, code):
    machine = aws.machine({"A": {"Type": "Succeed"}})
    with pytest.raises(ClientError) as refused:
        aws.client("stepfunctions").start_execution(stateMachineArn=machine, **request_)
    assert refused.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"name": "a b"}, "InvalidName"),
        ({"roleArn": "arn:aws:iam::000000000000:user/x"}, "InvalidArn"),
        ({"definition": '{"StartAt": "Z", "States": {"A": {"Type": "Succeed"}}}'}, "InvalidDefinition"),
    ],
)
def test_a_machine_with_a_wrong_name_role_or_definition_is_refused(aws, wrong, code):
    definition = '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'
    right = {"name": new_name("machine"), "roleArn": aws.role("states"), "definition": definition}
    flows = aws.client("stepfunctions")
    with pytest.raises(ClientError) as refused:
        flows.create_state_machine(**{**right, **wrong})
    assert refused.value.response["Error"]["Code"] == code
    made = flows.create_state_machine(**right)["stateMachineArn"]
    with pytest.raises(flows.exceptions.InvalidDefinition, match="Missing 'Next' target: Z at /StartAt"):
        flows.update_state_machine(stateMachineArn=made, definition=definition.replace('"A", ', '"Z", '))


def test_a_definition_is_validated_without_being_made(aws):
    flows = aws.client("stepfunctions")
    wrong = '{"StartAt": "A", "States": {"A": {"Type": "Pass"}}}'
    told = flows.validate_state_machine_definition(definition=wrong)
    places = [(each["code"], each["severity"], each["location"]) for each in told["diagnostics"]]
    assert (told["result"], places) == (
        "FAIL",
        [("MISSING_END_STATE", "ERROR", "/"), ("SCHEMA_VALIDATION_FAILED", "ERROR", "/States/A")],
    )
    right = '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'
    assert flows.validate_state_machine_definition(definition=right)["result"] == "OK"


def test_an_execution_ends_when_its_history_is_full(aws):
    states = {
        "Begin": {"Type": "Pass", "Assign": {"i": 0}, "Next": "More"},
        "More": {"Type": "Pass", "Assign": {"i": "{% $i + 1 %}"}, "Next": "Enough"},
        "Enough": {"Type": "Choice", "Choices": [{"Condition": "{% $i < 7000 %}", "Next": "More"}], "Default": "Z"},
        "Z": {"Type": "Succeed"},
    }
    ended = aws.run(aws.machine(states), timeout_s=200)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert "maximum number of history events (25000)" in ended["cause"]
