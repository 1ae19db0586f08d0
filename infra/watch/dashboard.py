"""The dashboard of a stage, in four groups: model, business, data, system.

Each widget reads metrics that alarms read too, or that AWS counts for nothing, so it costs no more than the dashboard.
"""

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from domain.names import Metric
from infra.watch.metrics import DAY, HOUR, Watched, api_metric, capture_age, errors_of, fallback_percent, measured

WIDTH, THIRD = 24, 8


class Dashboard(Construct):
    """What is answered, what it is worth, what it rests on, and what runs it."""

    def __init__(self, scope: Construct, id: str, *, watched: Watched) -> None:
        super().__init__(scope, id)
        self.config, self.watched = watched.config, watched
        self.board = cloudwatch.Dashboard(self, "Board", dashboard_name=self.config.prefix)
        self.group("Model", "is it right, and does it answer?", self.model())
        self.group("Business", "what is it worth, and what does it cost?", self.business())
        self.group("Data", "what do answers and training rest on?", self.data())
        self.group("System", "is everything running?", self.system())

    def group(self, name: str, question: str, widgets: list[cloudwatch.GraphWidget]) -> None:
        self.board.add_widgets(cloudwatch.TextWidget(markdown=f"## {name}: {question}", width=WIDTH, height=1))
        self.board.add_widgets(*widgets)

    def model(self) -> list[cloudwatch.GraphWidget]:
        return [
            _graph("Answers without the model, %", fallback_percent(self.config)),
            _graph(
                "Benchmarks broken on newer rows, and losses in the windows",
                self.measured(Metric.BROKEN_BENCHMARKS, "Maximum", "benchmarks broken"),
                self.measured(Metric.WATCH_ALARMS, "Maximum", "findings that alarm"),
            ),
            _graph("Answers that the model was not sure of", self.measured(Metric.UNSURE, "Sum", "not sure")),
        ]

    def business(self) -> list[cloudwatch.GraphWidget]:
        return [
            _graph("Value of the answers whose outcomes came, $", self.measured(Metric.VALUE_USD, "Sum", "value")),
            _graph("Spent this month, $", self.measured(Metric.SPENT_USD, "Maximum", "spent")),
            _graph("Spent of the month's budget, %", self.measured(Metric.SPENT_PERCENT, "Maximum", "spent")),
        ]

    def data(self) -> list[cloudwatch.GraphWidget]:
        return [
            _graph("Features and answers that drifted", self.measured(Metric.MOVED, "Maximum", "drifted")),
            _graph("Age of the newest row, days", self.measured(Metric.DATA_AGE_DAYS, "Maximum", "age")),
            _graph(
                "Outcomes a day",
                self.measured(Metric.OUTCOMES, "Sum", "received"),
                self.measured(Metric.UNMATCHED, "Sum", "without a prediction"),
            ),
            _graph("Age of answers when captured, ms", capture_age(self.watched.capture)),
        ]

    def system(self) -> list[cloudwatch.GraphWidget]:
        config, api = self.config, self.watched.api
        return [
            _graph(
                "Requests and answers",
                measured(config, Metric.REQUESTS, "Sum"),
                measured(config, Metric.PREDICTIONS, "Sum"),
            ),
            _graph(
                "Latency, ms",
                measured(config, Metric.LATENCY, "p50"),
                measured(config, Metric.LATENCY, "p99"),
                measured(config, Metric.MODEL_LATENCY, "p99"),
            ),
            _graph("API errors", api_metric(api, "4xx", "Sum"), api_metric(api, "5xx", "Sum")),
            _graph("Functions' errors", errors_of(self.watched.functions)),
            _graph(
                "Flows that failed",
                *(flow.metric_failed(label=flow.node.id, period=HOUR) for flow in self.watched.flows),
            ),
        ]

    def measured(self, name: Metric, statistic: str, label: str) -> cloudwatch.Metric:
        """Return a metric by the day: these come once a day or a week."""
        return measured(self.config, name, statistic, period=DAY, label=label)


def _graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=THIRD)
