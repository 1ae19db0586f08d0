"""The CDK's command line: how far a deployment is, read from its output."""

import pytest

from fairway.deploy.cdk import resources_done


@pytest.mark.parametrize(
    ("line", "done"),
    [
        (
            "shop-dev-data |  3/13 | 6:19:56 AM | CREATE_COMPLETE | AWS::SNS::Topic | Alarms",
            "shop-dev-data: 3 of 13 resources",
        ),
        ("shop-dev-data |   3 | 6:20:24 AM | CREATE_COMPLETE | AWS::SNS::Topic | Alarms", "shop-dev-data: 3 resources"),
        ("shop-dev-data | 6:20:24 AM | UPDATE_FAILED | AWS::SNS::Topic | Alarms", None),
        ("shop-dev-data: deploying... [1/2]", None),
    ],
)
def test_a_line_about_a_resource_tells_how_many_are_done_and_any_other_line_nothing(line, done):
    assert resources_done(line) == done
