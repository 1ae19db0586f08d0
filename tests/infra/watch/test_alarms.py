"""The alarms: what they watch, who is told, and where each leads."""

import re

from domain.names import Metric
from local.metric_math import evaluate
from tests.infra.conftest import ROOT
from tests.infra.reading import imported, of_type, short, text


def test_failures_are_told_at_once_and_only_our_own(service):
    rules = of_type(service, "AWS::Events::Rule").items()
    told = {short(id).removeprefix("Alarms"): each["EventPattern"] for id, each in rules if id.startswith("Alarms")}
    ours = [{"prefix": "flights-prod-"}]
    assert {name: pattern["detail"] for name, pattern in told.items()} == {
        "JobFailed": {"TrainingJobName": ours, "TrainingJobStatus": ["Failed", "Stopped"]},
        "ProcessingFailed": {"ProcessingJobName": ours, "ProcessingJobStatus": ["Failed", "Stopped"]},
        "EndpointFailed": {
            "EndpointName": ours,
            "EndpointStatus": ["FAILED", "Failed", "OUT_OF_SERVICE", "OutOfService"],
        },
        "FlowFailed": {
            "stateMachineArn": [
                {"Ref": id} for id in sorted(of_type(service, "AWS::StepFunctions::StateMachine"), reverse=True)
            ],
            "status": ["FAILED", "TIMED_OUT", "ABORTED"],
        },
    }


def test_alarms_watch_the_answers_their_speed_and_what_was_lost(service):
    alarms = {
        each["AlarmName"].rpartition("-")[2]: each for each in of_type(service, "AWS::CloudWatch::Alarm").values()
    }
    assert {name: (alarm["Threshold"], alarm["EvaluationPeriods"]) for name, alarm in alarms.items()} == {
        "Fallbacks": (5, 3),
        "Latency": (2000, 3),
        "Champion": (0, 1),
        "StaleRows": (14, 1),
        "Windows": (0, 1),
        "ServerErrors": (0, 1),
        "Undelivered": (0, 1),
        "CaptureAge": (900_000, 3),
        "FunctionErrors": (0, 1),
        "Spent": (75, 1),
        "Reaped": (0, 1),
    }
    (ratio,) = [each["Expression"] for each in alarms["Fallbacks"]["Metrics"] if "Expression" in each]
    night = {"fallbacks": 1.0, "stand_ins": None, "predictions": 3.0}
    assert evaluate(ratio, night) == 0
    assert evaluate(ratio, {"fallbacks": 1.0, "stand_ins": None, "predictions": 20.0}) == 5
    assert evaluate(ratio, {"fallbacks": 12.0, "stand_ins": 8.0, "predictions": 20.0}) == 100
    for alarm in alarms.values():
        assert [imported(action["Fn::ImportValue"]) for action in alarm["AlarmActions"]] == ["AlarmsTopic"]
        assert alarm["TreatMissingData"] == "notBreaching"


def test_every_alarm_leads_to_what_to_do_about_it(service):
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    described = {
        each["AlarmName"].rpartition("-")[2]: each["AlarmDescription"]
        for each in of_type(service, "AWS::CloudWatch::Alarm").values()
    }
    assert sorted(headings) == sorted(described)
    assert all(text.endswith(f". What to do: docs/operations.md#{name.lower()}") for name, text in described.items())


def test_errors_alarm_whichever_functions_were_called(service):
    """A sum is none as long as one of its metrics is, and nobody calls `hours` in a stage without office hours."""
    (alarm,) = [
        each for each in of_type(service, "AWS::CloudWatch::Alarm").values() if "FunctionErrors" in each["AlarmName"]
    ]
    (sum_,) = [each["Expression"] for each in alarm["Metrics"] if "Expression" in each]
    assert evaluate(sum_, {"m0": 1.0, "m1": 2.0, "m2": None, "m3": 0.0, "m4": None, "m5": None}) == 3
    watched = [
        each["MetricStat"]["Metric"]["Dimensions"][0]["Value"] for each in alarm["Metrics"] if "MetricStat" in each
    ]
    assert [text(name) for name in watched] == [
        "<RealtimeApiPredict>",
        "<RealtimeApiOutcomes>",
        "<Capture>",
        "<MoneyGuard>",
        "<MoneyReap>",
        "<OfficeHours>",
    ]


def test_metrics_that_are_watched_are_metrics_that_are_written(service):
    written = {
        Metric[name].value
        for verb in ("predict", "guard", "reap", "judge", "judge_window")
        for name in re.findall(r"Metric\.([A-Z_]+)", next((ROOT / "lambdas").rglob(f"{verb}.py")).read_text())
    }
    watched = {
        query["MetricStat"]["Metric"]["MetricName"]
        for alarm in of_type(service, "AWS::CloudWatch::Alarm").values()
        for query in alarm.get("Metrics", [])
        if query.get("MetricStat", {}).get("Metric", {}).get("Namespace") == "Fairway"
    } | {
        alarm["MetricName"]
        for alarm in of_type(service, "AWS::CloudWatch::Alarm").values()
        if alarm.get("Namespace") == "Fairway"
    }
    assert watched == {
        "Fallbacks",
        "StandIns",
        "Predictions",
        "Latency",
        "SpentPercent",
        "Reaped",
        "BrokenBenchmarks",
        "DataAgeDays",
        "WatchAlarms",
    }
    assert watched <= written
