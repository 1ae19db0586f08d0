"""What the bench of fidelity makes of a suite's report, and that its behaviours tell a stranger's answer from AWS's."""

from collections import Counter

import pytest

from bench.fidelity import ledger, suites
from bench.fidelity.__main__ import tried
from bench.fidelity.behaviours import SAGEMAKER, Behaviour
from bench.fidelity.flows import FLOWS

REPORT = """<testsuites><testsuite>
<testcase name="a"/>
<testcase name="b"><skipped message="not here"/></testcase>
<testcase name="c"><failure message="Failed: DID NOT RAISE ClientError">at line 1</failure></testcase>
<testcase name="d"><failure message="x">botocore.exceptions.ClientError: an error (UnknownOperation)
</failure></testcase>
<testcase name="e"><failure message="x">E botocore.errorfactory.ValidationException: too long</failure></testcase>
<testcase name="f"><failure message="assert 1 == 2">at line 2</failure></testcase>
<testcase name="g"><error message="fixture">at line 3</error></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def counted(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT)
    return suites.counted(tmp_path / "report.xml")


def test_a_failure_is_counted_by_its_kind(counted):
    assert counted == {
        "passed": 1,
        "skipped": 1,
        "accepted": 1,
        "not simulated": 1,
        "refused": 1,
        "another answer": 2,
    }


def test_the_page_has_a_line_for_every_behaviour_and_every_service(counted):
    behaviours = [(each, "") for each in (*SAGEMAKER, *FLOWS)]
    text = ledger.page(behaviours, {"S3": counted, "KMS": Counter(passed=2)}, moto="5", limit_s=60)
    assert all(f"| {each.relied_on_by} | {each.does} | yes |" in text for each, _ in behaviours)
    assert "| Fairway's local AWS | 29 of 29 |" in text
    assert "| S3 | 6 | 1 | 1 | 1 | 1 | 2 |" in text
    assert "| **all** | 8 | 3 | 1 | 1 | 1 | 2 |" in text


def test_a_behaviour_that_is_missing_tells_why():
    def breaks(aws):
        raise ValueError("two\nlines")

    assert tried(None, Behaviour("train", "breaks", breaks)) == "ValueError: two lines"
    assert tried(None, Behaviour("train", "differs", lambda aws: False)) == "answers otherwise"
    assert tried(None, Behaviour("train", "works", lambda aws: True)) == ""
