"""What all our SageMaker jobs share: the image, a role for each kind, inputs and outputs, a time limit, tags."""

from typing import Any

from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from constructs import Construct

from domain.config.sections import Config
from infra.data.lake import Lake
from infra.parts.flow import Flow, call, jsonata, until_there_is_quota
from infra.permissions import Many, allow, arn

# in addition to the job's own limit, which excludes the wait for an instance and for the data
TO_GET_A_MACHINE_S = 3600

# A function in JSONata: one input of a processing job. `kind` is S3Prefix, or ManifestFile for a list of objects.
INPUT = """$input := function($name, $folder, $uri, $kind, $shared) { {
    'InputName': $name,
    'S3Input': {
      'S3Uri': $uri, 'LocalPath': '/opt/ml/processing/input/' & $folder, 'S3DataType': $kind, 'S3InputMode': 'File',
      'S3DataDistributionType': $shared ? 'ShardedByS3Key' : 'FullyReplicated'
    }
  } };"""


def inputs(*expressions: str) -> str:
    """Return the inputs of a processing job; an expression may give one, several or none."""
    return jsonata(f"({INPUT} [{', '.join(expressions)}])")


def output(folder: str, uri: str, *, upload: str = "EndOfJob") -> dict[str, Any]:
    s3_output = {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/output/{folder}", "S3UploadMode": upload}
    return {"OutputName": folder, "S3Output": s3_output}


def tags(config: Config) -> list[dict[str, Any]]:
    return [{"Key": "fairway", "Value": config.prefix}]


class Jobs(Construct):
    """Flow -> SageMaker job in our image, with a role that reaches only these folders of the lake."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        lake: Lake,
        repository: ecr.IRepository,
        image: str,
        reads: list[str],
        writes: list[str],
    ) -> None:
        super().__init__(scope, id)
        self.config, self.image = config, image
        self.role = job_role(self, "Role", repository=repository)
        allow(self.role, "s3:ListBucket", on=lake.bucket.bucket_arn)
        allow(self.role, "s3:GetObject", on=lake.objects(*reads))
        allow(self.role, "s3:PutObject", on=lake.objects(*writes))

    def processing(
        self,
        *,
        verb: str,
        inputs: str,
        outputs: list[Any],
        instance: str,
        instances: int | str = 1,
        volume_gb: int,
        runtime_s: int,
        **fields: Any,
    ) -> dict[str, Any]:
        """Return a task that runs `python -m model_code <verb>` to its end, without network access."""
        cluster = {"InstanceType": instance, "InstanceCount": instances, "VolumeSizeInGB": volume_gb}
        arguments = {
            "ProcessingJobName": self.job_name(verb),
            "RoleArn": self.role.role_arn,
            "AppSpecification": {"ImageUri": self.image, "ContainerArguments": [verb]},
            "ProcessingInputs": inputs,
            "ProcessingOutputConfig": {"Outputs": outputs},
            "ProcessingResources": {"ClusterConfig": cluster},
            "StoppingCondition": {"MaxRuntimeInSeconds": runtime_s},
            "NetworkConfig": {"EnableNetworkIsolation": True},
            "Tags": [*tags(self.config), {"Key": "run", "Value": jsonata("$run")}],
        }
        return to_its_end("createProcessingJob", arguments, runtime_s, **fields)

    def job_name(self, verb: str) -> str:
        """Name a job by the start of the execution and the attempt, in at most 63 characters:
        flights-prod-score-261122T074500-0.

        It is not named by the run: a job's name can be used only once, and a killed run is started again.
        """
        began = "$substring($replace($replace($states.context.Execution.StartTime, '-', ''), ':', ''), 2, 13)"
        return jsonata(f"'{self.config.prefix}-{verb}-' & {began} & '-' & $string($states.context.State.RetryCount)")

    def allow_run(self, flow: Flow, *kinds: str) -> None:
        """Allow the flow to run jobs of these kinds, TrainingJob or ProcessingJob, and to wait for their end."""
        for kind in kinds:
            actions = (f"Create{kind}", f"Describe{kind}", f"Stop{kind}", "AddTags", "ListTags")
            flow.allow(*(f"sagemaker:{action}" for action in actions), on=jobs_of(self.config, kind))
            rule = f"rule/StepFunctionsGetEventsForSageMaker{kind}sRule"  # how .sync learns that the job ended
            flow.allow("events:PutTargets", "events:PutRule", "events:DescribeRule", on=arn("events", rule))
        flow.allow_pass(self.role)


def to_its_end(operation: str, arguments: dict[str, Any], longest_s: int, **fields: Any) -> dict[str, Any]:
    """Return a task that starts a job and waits for its end."""
    return call(
        f"sagemaker:{operation}.sync",
        arguments,
        timeout_s=longest_s + TO_GET_A_MACHINE_S,
        retry=(until_there_is_quota(),),
        **fields,
    )


def jobs_of(config: Config, kind: str) -> Many:
    """Return the ARN pattern of the stage's jobs of a kind, TrainingJob or ProcessingJob."""
    resource = {"TrainingJob": "training-job", "ProcessingJob": "processing-job"}[kind]
    return Many([arn("sagemaker", f"{resource}/{config.prefix}-*")], "Jobs are named by their run")


def job_role(scope: Construct, id: str, *, repository: ecr.IRepository) -> iam.Role:
    """Return a role for one of our containers: it may pull the image, and write logs and metrics."""
    role = iam.Role(scope, id, assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
    repository.grant_pull(role)
    logs = Many(
        [arn("logs", "log-group:/aws/sagemaker/*")], "SageMaker creates the log groups of its jobs and endpoints itself"
    )
    allow(role, "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", on=logs)
    anything = Many(["*"], "Metrics and the login of ECR have no resources that a policy could name")
    to_sagemaker = {"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}}
    allow(role, "cloudwatch:PutMetricData", on=anything, conditions=to_sagemaker)
    return role
