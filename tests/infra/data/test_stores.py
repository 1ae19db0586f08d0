"""What must survive: kept safe, kept private, and kept for as long as it should be."""

import json

from aws_cdk import App

from domain.config.sections import Data, read_config
from infra.data.lake import lifecycle_rules
from infra.stacks import DataStack
from tests.infra.conftest import ROOT, template
from tests.infra.reading import of_type

TABLES = {
    "flights-prod-predictions": (["id"], "expires_at"),
    "flights-prod-outcomes": (["entity_id", "event_time"], None),
    "flights-prod-routing": (["item"], None),
    "flights-prod-runs": (["kind", "run"], None),
    "flights-prod-evidence": (["rollout", "item"], "expires_at"),
}


def test_the_lake_is_versioned_encrypted_private_and_tidied(data):
    (lake,) = of_type(data, "AWS::S3::Bucket").values()
    assert lake["VersioningConfiguration"] == {"Status": "Enabled"}
    assert lake["BucketEncryption"]["ServerSideEncryptionConfiguration"] == [
        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    ]
    assert set(lake["PublicAccessBlockConfiguration"].values()) == {True}
    (policy,) = of_type(data, "AWS::S3::BucketPolicy").values()
    (only_tls,) = policy["PolicyDocument"]["Statement"]
    assert (only_tls["Effect"], only_tls["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_data_ages_by_its_class(data):
    (lake,) = of_type(data, "AWS::S3::Bucket").values()
    rules = {rule["Id"]: rule for rule in lake["LifecycleConfiguration"]["Rules"]}
    cold = {"Transitions": [{"StorageClass": "GLACIER_IR", "TransitionInDays": 90}], "ObjectSizeGreaterThan": 1048576}
    assert {id: {name: rule[name] for name in rule if name not in ("Id", "Status")} for id, rule in rules.items()} == {
        **{
            f"{folder}-glacier-ir": {"Prefix": f"{folder}/", **cold}
            for folder in ("rows", "quarantine", "captured", "batch", "artefacts")
        },
        "features-end": {"Prefix": "features/", "ExpirationInDays": 90},
        "scratch-end": {"Prefix": "scratch/", "ExpirationInDays": 1},
        "scratch-old-versions": {"Prefix": "scratch/", "NoncurrentVersionExpiration": {"NoncurrentDays": 1}},
        "old-versions": {
            "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
            "ExpiredObjectDeleteMarker": True,
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        },
    }


def test_artefacts_are_never_archived_or_deleted_and_a_window_is_never_cold():
    rules = lifecycle_rules(Data(window_days=365, archive_days=500, delete_days=700))
    ages = {(rule.prefix, days_of(rule)) for rule in rules if rule.prefix}
    kept = ("rows/", "quarantine/", "captured/", "batch/")
    assert ages == {
        *((folder, 365) for folder in (*kept, "artefacts/", "features/")),
        *((folder, days) for folder in kept for days in (500, 700)),
        ("scratch/", 1),
    }
    assert [rule.id for rule in lifecycle_rules(Data(hot_days=0))] == [
        "scratch-end",
        "scratch-old-versions",
        "old-versions",
    ]


def days_of(rule) -> float:
    spans = [move.transition_after for move in rule.transitions or ()] + [
        rule.expiration,
        rule.noncurrent_version_expiration,
    ]
    return next(span.to_days() for span in spans if span)


def test_the_tables_have_the_keys_of_records_py_and_can_be_restored(data):
    tables = {table["TableName"]: table for table in of_type(data, "AWS::DynamoDB::GlobalTable").values()}
    assert {
        name: (
            [key["AttributeName"] for key in table["KeySchema"]],
            table.get("TimeToLiveSpecification", {}).get("AttributeName"),
        )
        for name, table in tables.items()
    } == TABLES
    for name, table in tables.items():
        (replica,) = table["Replicas"]
        assert table["BillingMode"] == "PAY_PER_REQUEST", name
        assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}, name
        assert replica["DeletionProtectionEnabled"] is True, name
        assert replica["Tags"] == [{"Key": "fairway", "Value": "flights-prod"}], (
            name
        )  # the app's tags do not reach replicas
    (by_entity,) = tables["flights-prod-predictions"]["GlobalSecondaryIndexes"]
    assert [key["AttributeName"] for key in by_entity["KeySchema"]] == ["entity_id", "made_at"]
    assert (by_entity["IndexName"], by_entity["Projection"]) == ("by_entity", {"ProjectionType": "ALL"})


def test_images_cannot_be_changed_and_are_scanned(data):
    (images,) = of_type(data, "AWS::ECR::Repository").values()
    assert (images["RepositoryName"], images["ImageTagMutability"]) == ("flights-prod", "IMMUTABLE")
    assert images["ImageScanningConfiguration"] == {"ScanOnPush": True}
    rules = json.loads(images["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert [rule["selection"]["tagStatus"] for rule in rules] == ["untagged", "any"]


def test_the_signing_key_signs_and_verifies_and_does_nothing_else(data):
    (key,) = of_type(data, "AWS::KMS::Key").values()
    assert (key["KeySpec"], key["KeyUsage"], key["PendingWindowInDays"]) == ("ECC_NIST_P256", "SIGN_VERIFY", 30)
    manage, use = key["KeyPolicy"]["Statement"]
    assert use["Action"] == ["kms:Sign", "kms:Verify"]
    assert not any(action.startswith(("kms:Sign", "kms:*", "kms:Create")) for action in manage["Action"])


def test_what_must_survive_survives_in_production_and_goes_with_the_laptop(data, local):
    kept = (
        "AWS::S3::Bucket",
        "AWS::DynamoDB::GlobalTable",
        "AWS::ECR::Repository",
        "AWS::SageMaker::ModelPackageGroup",
        "AWS::KMS::Key",
    )

    def policies(template: dict) -> set:
        return {
            (found["DeletionPolicy"], found["UpdateReplacePolicy"])
            for found in template["Resources"].values()
            if found["Type"] in kept
        }

    assert policies(data) == {("RetainExceptOnCreate", "Retain")}
    assert policies(template(local, "flights-local-data")) == {("Delete", "Delete")}


def test_who_may_publish_alarms_is_this_account_over_tls(data, always_on):
    (policy,) = of_type(data, "AWS::SNS::TopicPolicy").values()
    only_tls, publishers, events = policy["PolicyDocument"]["Statement"]
    assert (only_tls["Effect"], only_tls["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert publishers["Principal"]["Service"] == [
        "budgets.amazonaws.com",
        "cloudwatch.amazonaws.com",
        "costalerts.amazonaws.com",
    ]
    assert publishers["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    # "You can't use Condition blocks in Amazon SNS topic policies for EventBridge": it would be denied
    assert (events["Principal"], events.get("Condition")) == ({"Service": "events.amazonaws.com"}, None)
    assert not of_type(data, "AWS::SNS::Subscription")
    (email,) = of_type(always_on["data"], "AWS::SNS::Subscription").values()
    assert (email["Protocol"], email["Endpoint"]) == ("email", "ops@example.com")


HELD = {
    "LakeBucketB1D32E10",
    "TablesPredictions2A11ED16",
    "TablesOutcomes3BBB356F",
    "TablesRouting5D615919",
    "TablesRunsB40D77DF",
    "RegistryImages57582A22",
    "RegistrySigningKey3C9D303C",
    "RegistryModelPackages6C332CB5",
}


def test_what_holds_data_keeps_its_logical_id_or_an_update_would_put_an_empty_one_in_its_place(data):
    assert data["Resources"].keys() >= HELD


def test_what_the_service_may_import_stays_exported_whatever_it_imports(data, tmp_path):
    """A data stack is deployed before the service that takes less of it, and CloudFormation refuses to end a used
    export.
    """
    app = App(outdir=str(tmp_path), analytics_reporting=False)
    config = read_config(ROOT, "prod")
    DataStack(app, "flights-prod-data", config=config)
    app.synth()
    alone = template(tmp_path, "flights-prod-data")
    assert alone["Outputs"].keys() == data["Outputs"].keys()
