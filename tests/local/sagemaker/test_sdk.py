"""A client that nobody here wrote: the resource classes of the SageMaker Python SDK, which refuse a wrong response."""

import json

import pytest

from tests.local.sagemaker.conftest import IMAGE

resources = pytest.importorskip("sagemaker.core.resources", reason="the extra `sagemaker` is not installed")
shapes = pytest.importorskip("sagemaker.core.shapes")


@pytest.fixture(scope="module")
def session(gateway):
    """The SDK makes its own clients; it finds this gateway by the AWS variables."""
    import boto3

    patch = pytest.MonkeyPatch()
    patch.setenv("AWS_ENDPOINT_URL", gateway.url)
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    yield boto3.Session(aws_access_key_id="000000000000", aws_secret_access_key="root", region_name="us-east-1")
    patch.undo()


def test_the_sdk_trains_processes_registers_hosts_and_invokes(session, role):
    training = resources.TrainingJob.create(
        training_job_name="sdk",
        role_arn=role,
        session=session,
        hyper_parameters={"depth": "2"},
        algorithm_specification=shapes.AlgorithmSpecification(training_image=IMAGE, training_input_mode="File"),
        input_data_config=[
            shapes.Channel(
                channel_name="rows",
                data_source=shapes.DataSource(
                    s3_data_source=shapes.S3DataSource(s3_data_type="S3Prefix", s3_uri="s3://lab/rows/")
                ),
            )
        ],
        output_data_config=shapes.OutputDataConfig(s3_output_path="s3://lab/sdk"),
        resource_config=shapes.ResourceConfig(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=1),
        stopping_condition=shapes.StoppingCondition(max_runtime_in_seconds=60),
    )
    training.wait(poll=1)
    assert training.training_job_status == "Completed"

    group = resources.ModelPackageGroup.create(model_package_group_name="sdk", session=session)
    # ModelPackage.create of SDK 3.27 reads a ModelPackageName that the API's response does not have.
    made = session.client("sagemaker").create_model_package(
        ModelPackageGroupName=group.model_package_group_name,
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [{"Image": IMAGE, "ModelDataUrl": training.model_artifacts.s3_model_artifacts}]
        },
    )
    package = resources.ModelPackage.get(model_package_name=made["ModelPackageArn"], session=session)
    assert (package.model_package_version, package.model_approval_status) == (1, "Approved")

    model = resources.Model.create(
        model_name="sdk",
        execution_role_arn=role,
        session=session,
        primary_container=shapes.ContainerDefinition(model_package_name=package.model_package_arn),
    )
    # An instance variant: SDK 3.27 misspells MemorySizeInMB, so it cannot ask for a serverless one.
    resources.EndpointConfig.create(
        endpoint_config_name="sdk",
        session=session,
        production_variants=[
            shapes.ProductionVariant(
                variant_name="all", model_name=model.model_name, instance_type="ml.m5.large", initial_instance_count=1
            )
        ],
    )
    endpoint = resources.Endpoint.create(endpoint_name="sdk", endpoint_config_name="sdk", session=session)
    endpoint.wait_for_status("InService", poll=1)
    answer = endpoint.invoke(body=b"hello", content_type="application/json", session=session)
    assert json.loads(answer.body.read() if hasattr(answer.body, "read") else answer.body)["model"] == ["algo-1.json"]
    endpoint.delete()


def test_the_sdk_runs_a_processing_job_and_lists_it(session, role):
    processing = resources.ProcessingJob.create(
        processing_job_name="sdk",
        role_arn=role,
        session=session,
        app_specification=shapes.AppSpecification(image_uri=IMAGE, container_arguments=["score"]),
        processing_resources=shapes.ProcessingResources(
            cluster_config=shapes.ProcessingClusterConfig(
                instance_count=1, instance_type="ml.m5.large", volume_size_in_gb=1
            )
        ),
        processing_output_config=shapes.ProcessingOutputConfig(
            outputs=[
                shapes.ProcessingOutput(
                    output_name="out",
                    s3_output=shapes.ProcessingS3Output(
                        s3_uri="s3://lab/sdk-processed",
                        local_path="/opt/ml/processing/output",
                        s3_upload_mode="EndOfJob",
                    ),
                )
            ]
        ),
    )
    processing.wait(poll=1)
    assert processing.processing_job_status == "Completed"
    listed = resources.ProcessingJob.get_all(name_contains="sdk", session=session)
    assert [job.processing_job_name for job in listed] == ["sdk"]
