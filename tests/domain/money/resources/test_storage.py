import json

import pytest

from domain.money.resources.storage import bucket_lines, lifecycle_saving_usd, repository_lines
from tests.domain.money.scenario import PRICES, month, resource

GB = 1024**3
# 1 GB of rows a month in 30.4 loads, and nothing else worth counting; 24 months of it.
NOTHING_ELSE = {"requests_per_second": 0.0, "training_runs": 0.0, "batch_runs": 0.0}
USAGE = month({"rows_loaded": GB, "row_bytes": 1.0, "months": 24, **NOTHING_ELSE})


def bucket(*rules, versioned=False):
    versioning = {"VersioningConfiguration": {"Status": "Enabled"}} if versioned else {}
    return resource(
        "AWS::S3::Bucket",
        LifecycleConfiguration={"Rules": [{"Status": "Enabled", **rule} for rule in rules]},
        **versioning,
    )


def stored(place, usage=USAGE):
    return {
        line.what: line.quantity for line in bucket_lines(place, usage, PRICES) if line.what not in ("writes", "reads")
    }


def test_without_rules_everything_stays_in_standard_for_ever():
    assert stored(bucket()) == pytest.approx({"kept as STANDARD": 24})


def test_rules_move_each_month_of_rows_on_by_its_age():
    rules = {
        "Prefix": "rows/",
        "Transitions": [
            {"StorageClass": "GLACIER_IR", "TransitionInDays": 73},  # 2.4 months
            {"StorageClass": "DEEP_ARCHIVE", "TransitionInDays": 365},  # 12 months
        ],
    }
    assert stored(bucket(rules)) == pytest.approx(
        {
            "kept as STANDARD": 2.4,
            "kept as GLACIER_IR": 9.6,
            "kept as DEEP_ARCHIVE": 12,
            "moved to GLACIER_IR": 730 / 24,
            "moved to DEEP_ARCHIVE": 730 / 24,
        }
    )
    # kept: 24 x 0.023; ruled: 2.4 x 0.023 + 9.6 x 0.004 + 12 x 0.00099 + 30.4167 x (0.00002 + 0.00005)
    assert lifecycle_saving_usd(bucket(rules), USAGE, PRICES) == pytest.approx(
        0.552 - (0.0552 + 0.0384 + 0.01188 + 0.0021291667)
    )


def test_what_has_not_come_of_age_has_not_moved():
    rule = {"Prefix": "rows/", "Transitions": [{"StorageClass": "GLACIER_IR", "TransitionInDays": 1000}]}
    assert stored(bucket(rule)) == pytest.approx({"kept as STANDARD": 24, "kept as GLACIER_IR": 0})


def test_small_objects_stay_where_they_are():
    small = month({"rows_loaded": 30_000, "row_bytes": 40.0, "months": 24, **NOTHING_ELSE})
    rule = {"Transitions": [{"StorageClass": "GLACIER_IR", "TransitionInDays": 30}]}
    assert stored(bucket(rule), small).keys() == {"kept as STANDARD"}


def test_a_rule_for_large_objects_moves_no_smaller_ones():
    def moved(size):
        rule = {
            "Transitions": [{"StorageClass": "GLACIER_IR", "TransitionInDays": 30}],
            "ObjectSizeGreaterThan": str(size),
        }
        return "kept as GLACIER_IR" in stored(bucket(rule))

    assert moved(1024**2)
    assert moved(35_000_000)  # 1 GB in 30.4 loads
    assert not moved(36_000_000)


def test_an_expired_object_of_a_versioned_bucket_lives_on_as_an_old_version():
    expiry = {"Prefix": "rows/", "ExpirationInDays": 73}
    old_versions = {"NoncurrentVersionExpiration": {"NoncurrentDays": 146}}
    assert stored(bucket(expiry)) == pytest.approx({"kept as STANDARD": 2.4})
    assert stored(bucket(expiry, old_versions, versioned=True)) == pytest.approx({"kept as STANDARD": 7.2})
    assert stored(bucket(expiry, versioned=True)) == pytest.approx({"kept as STANDARD": 24})


def test_a_rule_that_is_off_or_for_another_folder_changes_nothing():
    elsewhere = {"Prefix": "scratch/", "ExpirationInDays": 1}
    off = {"Prefix": "rows/", "ExpirationInDays": 1, "Status": "Disabled"}
    assert stored(bucket(elsewhere, off)) == pytest.approx({"kept as STANDARD": 24})


def test_a_repository_keeps_no_more_images_than_its_rule_allows():
    rules = {
        "rules": [
            {"selection": {"countType": "imageCountMoreThan", "countNumber": 10}},
            {"selection": {"countType": "sinceImagePushed", "countNumber": 1}},
        ]
    }
    kept = resource("AWS::ECR::Repository", LifecyclePolicy={"LifecyclePolicyText": json.dumps(rules)})
    usage = month({"months": 24, "image_gb": 0.5})
    assert [line.monthly_usd for line in repository_lines(kept, usage, PRICES)] == pytest.approx([10 * 0.5 * 0.10])
    assert [
        line.monthly_usd for line in repository_lines(resource("AWS::ECR::Repository"), usage, PRICES)
    ] == pytest.approx([24 * 0.5 * 0.10])


def test_what_is_captured_is_counted_by_the_answer_and_by_the_file():
    asked = month({**NOTHING_ELSE, "rows_loaded": 0, "requests_per_second": 1.0, "prediction_bytes": 1000, "months": 1})
    # 730 hours; four shards, each of which waits 60 s after the first of its answers, of which one comes every 4 s
    files = 730 * 3600 * 4 / 64
    kept = (730 * 3600 * 120 + files * 2500) / GB
    assert asked.captures == pytest.approx(files)
    assert stored(bucket(), asked) == pytest.approx({"kept as STANDARD": kept})
    (writes,) = [line for line in bucket_lines(bucket(), asked, PRICES) if line.what == "writes"]
    assert writes.quantity == pytest.approx(files, rel=1e-3)


def test_full_batches_do_not_wait_for_the_time():
    busy = month({**NOTHING_ELSE, "requests_per_second": 1000.0})
    assert busy.captures == pytest.approx(730 * 3600 * 1000 / 500)
