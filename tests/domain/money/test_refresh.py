"""Price lists are excerpts in the format that AWS publishes, each with a trap that the published ones have."""

import json
from pathlib import Path

import pytest

from domain.money.prices import find, read_prices, read_rows
from domain.money.refresh import offers_of, refreshed, write_rows

LISTS = {file.stem: json.loads(file.read_text()) for file in Path(__file__).with_name("price_lists").glob("*.json")}
SHIPPED = read_rows()


@pytest.fixture(scope="module")
def refreshed_once():
    return refreshed(SHIPPED, list(LISTS.values()), "us-east-1")


def price(rows, tmp_path, *key):
    write_rows(rows, tmp_path / "prices.csv")
    found = find(read_prices("us-east-1", tmp_path / "prices.csv"), *key)
    return [(tier.from_quantity, tier.usd, tier.dated, tier.confidence) for tier in found.tiers]


def test_a_moved_price_is_taken_with_its_date(refreshed_once, tmp_path):
    rows, report = refreshed_once
    assert "AmazonSageMaker Host:ml.m5.xlarge" in report["updated"]
    assert price(rows, tmp_path, "AmazonSageMaker", "Host:ml.m5.xlarge") == [(0, 0.24, "2026-11-15", "high")]
    (row,) = [row for row in rows if row["usage_type"] == "USE1-Host:ml.m5.xlarge"]
    assert (row["usd_per_unit"], row["source"]) == ("0.24", "AWS price list AmazonSageMaker 20261115120000")


def test_a_price_that_stayed_is_as_good_as_new(refreshed_once, tmp_path):
    rows, report = refreshed_once
    assert "AmazonSageMaker Host:ml.m5.large" in report["unchanged"]
    assert price(rows, tmp_path, "AmazonSageMaker", "Host:ml.m5.large") == [(0, 0.115, "2026-11-15", "high")]


def test_a_jump_and_a_zero_are_refused_and_the_old_price_stays(refreshed_once, tmp_path):
    rows, report = refreshed_once
    assert report["refused"] == [
        "AmazonSageMaker Train:ml.m5.large would be free, was 0.115",
        "AmazonSageMaker Train:ml.m5.xlarge would go from 0.23 to 0.46, more than 30%",
    ]
    assert price(rows, tmp_path, "AmazonSageMaker", "Train:ml.m5.xlarge") == [(0, 0.23, "2026-09-27", "medium")]


def test_a_jump_is_taken_when_told_so(tmp_path):
    rows, report = refreshed(SHIPPED, list(LISTS.values()), "us-east-1", accept=True)
    assert report["refused"] == []
    assert price(rows, tmp_path, "AmazonSageMaker", "Train:ml.m5.xlarge") == [(0, 0.46, "2026-11-15", "high")]


def test_new_tiers_replace_the_old_ones_in_order(refreshed_once, tmp_path):
    rows, _ = refreshed_once
    assert [tier[:2] for tier in price(rows, tmp_path, "AmazonS3", "TimedStorage-ByteHrs")] == [
        (0, 0.022),
        (51200, 0.021),
        (512000, 0.02),
    ]
    assert [tier[:2] for tier in price(rows, tmp_path, "AWSLambda", "Lambda-GB-Second-ARM")] == [
        (0, 1.33e-5),
        (7.5e9, 1.2e-5),
        (18.75e9, 1.07e-5),
    ]


def test_an_allowance_is_not_a_price(refreshed_once, tmp_path):
    rows, _ = refreshed_once
    assert [tier[:2] for tier in price(rows, tmp_path, "AmazonDynamoDB", "TimedStorage-ByteHrs")] == [(0, 0.25)]


def test_operations_are_told_apart_and_what_cannot_be_is_left_alone(refreshed_once, tmp_path):
    rows, report = refreshed_once
    assert price(rows, tmp_path, "AmazonS3", "Requests-Tier4", "S3-GIRTransition") == [
        (0, 0.00002, "2026-11-15", "high")
    ]
    assert (
        "AmazonS3 Retrieval-SIA has several prices in the price list; give the row one of the "
        "operations CompleteMultipartUpload, GetObject"
    ) in report["unmatched"]
    assert price(rows, tmp_path, "AmazonS3", "Retrieval-SIA") == [(0, 0.01, "2026-08-25", "high")]


def test_the_archive_has_a_price_list_of_its_own_and_kms_writes_the_region_in_full(refreshed_once, tmp_path):
    rows, _ = refreshed_once
    assert price(rows, tmp_path, "AmazonS3", "TimedStorage-GDA-ByteHrs") == [(0, 0.00099, "2026-11-15", "high")]
    assert price(rows, tmp_path, "awskms", "KMS-Keys") == [(0, 1.0, "2026-11-15", "high")]


def test_a_product_of_another_region_is_not_taken(refreshed_once, tmp_path):
    rows, _ = refreshed_once
    assert price(rows, tmp_path, "AmazonDynamoDB", "WriteRequestUnits") == [(0, 0.000000625, "2026-11-15", "high")]


def test_other_regions_and_what_is_not_published_stay_as_they_are(refreshed_once):
    rows, report = refreshed_once
    assert [row for row in rows if row["region"] == "eu-west-1"] == [
        row for row in SHIPPED if row["region"] == "eu-west-1"
    ]
    assert "AmazonStates StateTransition is not in the price list under this name" in report["unmatched"]
    unmatched = {row["usage_type"] for row in rows if row["source_date"] != "2026-11-15"}
    assert "USE1-StateTransition" in unmatched


def test_a_second_refresh_changes_nothing(refreshed_once):
    rows, _ = refreshed_once
    again, report = refreshed(rows, list(LISTS.values()), "us-east-1")
    assert (again, report["updated"]) == (rows, [])


def test_the_lists_to_read_are_those_that_the_table_has_prices_of():
    offers = offers_of(SHIPPED, "us-east-1")
    assert {"AmazonSageMaker", "AmazonS3", "AmazonS3GlacierDeepArchive", "AWSDataTransfer"} <= set(offers)
    assert "AmazonEC2" not in offers  # hundreds of megabytes
    assert offers_of(SHIPPED, "ap-south-1") == []


def listed(*terms, usage_type="USE1-Host:ml.m5.large", published="2026-11-15T00:00:00Z"):
    """A price list of one product, each term (effective date, {from: USD})."""
    offered = {
        f"T{number}": {
            "effectiveDate": effective,
            "priceDimensions": {
                f"D{start}": {"beginRange": start, "pricePerUnit": {"USD": usd}, "description": "an hour"}
                for start, usd in tiers.items()
            },
        }
        for number, (effective, tiers) in enumerate(terms)
    }
    product = {"attributes": {"usagetype": usage_type, "operation": "RunInstance", "regionCode": "us-east-1"}}
    return {
        "offerCode": "AmazonSageMaker",
        "version": "1",
        "publicationDate": published,
        "products": {"SKU": product},
        "terms": {"OnDemand": {"SKU": offered}},
    }


def told(*terms, **more) -> str:
    """What the report says of the one product."""
    _, report = refreshed(SHIPPED, [listed(*terms, **more)], "us-east-1")
    return next(
        f"{kind}: {each}"
        for kind, found in report.items()
        for each in found
        if "Host:ml.m5.large" in each and "not in" not in each
    )


def test_while_a_price_changes_the_newest_counts():
    assert (
        told(("2026-01-01", {"0": "0.115"}), ("2026-11-01", {"0": "0.12"}))
        == "updated: AmazonSageMaker Host:ml.m5.large"
    )


def test_a_new_tier_is_measured_by_what_the_quantity_cost_before():
    assert told(("", {"0": "0.115", "100": "0.11"})).startswith("updated")
    assert told(("", {"0": "0.115", "100": "11.0"})) == (
        "refused: AmazonSageMaker Host:ml.m5.large would go from 0.115 to 11, more than 30%"
    )


def test_a_list_older_than_the_table_is_not_taken():
    assert told(("", {"0": "0.115"}), published="2020-01-01T00:00:00Z").endswith("this list is older: 2020-01-01")
