"""Kinds of resource in the service: their names, lists and words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """`resource` is the ARN's; `words` what messages call it; `summaries` and `summary` belong to its List
    operation.
    """

    resource: str
    words: str
    summaries: str
    summary: str


KINDS = {
    "TrainingJob": Kind("training-job", "training job", "TrainingJobSummaries", "TrainingJobSummary"),
    "ProcessingJob": Kind("processing-job", "processing job", "ProcessingJobSummaries", "ProcessingJobSummary"),
    "TransformJob": Kind("transform-job", "transform job", "TransformJobSummaries", "TransformJobSummary"),
    "Model": Kind("model", "model", "Models", "ModelSummary"),
    "EndpointConfig": Kind("endpoint-config", "endpoint configuration", "EndpointConfigs", "EndpointConfigSummary"),
    "Endpoint": Kind("endpoint", "endpoint", "Endpoints", "EndpointSummary"),
    "ModelPackageGroup": Kind(
        "model-package-group", "model package group", "ModelPackageGroupSummaryList", "ModelPackageGroupSummary"
    ),
    "ModelPackage": Kind("model-package", "model package", "ModelPackageSummaryList", "ModelPackageSummary"),
}
JOBS = ("TrainingJob", "ProcessingJob", "TransformJob")
