"""The numbers of docs/api.md are those of the code."""

import re
from pathlib import Path

import pytest

from domain.contract.values import LARGEST_INTEGER, LONGEST_TEXT
from domain.request import limits
from fairway.client.api import MAY_PASS, PAUSES_S
from fairway.client.api import MOST_ROWS as MOST_ROWS_OF_THE_CLIENT
from infra.request.realtime_api import BURST, LONGEST_REPLY_S, REQUESTS_PER_SECOND
from lambdas.request import http

PAGE = (Path(__file__).parents[3] / "docs/api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("what", "most"),
    [
        ("rows or outcomes in a request", f"{limits.MOST_ROWS}"),
        ("body", f"{limits.LARGEST_BODY_BYTES:,} bytes"),
        ("a row, as JSON", f"{limits.LARGEST_ROW_CHARACTERS:,} characters"),
        ("problems that a refusal lists", f"{limits.MOST_PROBLEMS:,}"),
        ("text of a column that a model reads", f"{LONGEST_TEXT:,} characters"),
        ("whole numbers", f"{LARGEST_INTEGER:,} in either direction (2^53)"),
        ("the reply", f"{LONGEST_REPLY_S} seconds"),
        ("requests of a stage", f"{REQUESTS_PER_SECOND} a second, bursts of {BURST}"),
    ],
)
def test_a_limit_of_the_page_is_that_of_the_code(what, most):
    assert f"| {what} | {most} |" in PAGE


def test_requests_outcomes_and_the_client_take_as_many_rows():
    assert limits.MOST_ROWS == limits.LARGEST_PAGE == MOST_ROWS_OF_THE_CLIENT


def test_the_page_names_every_refusal_with_its_status():
    listed = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", PAGE, re.MULTILINE)
    refusals = {(str(kind.status), kind.code) for kind in [http.Refused, *http.Refused.__subclasses__()]}
    assert set(listed) == refusals | {("500", "internal")}


def test_the_page_says_when_and_how_often_the_client_repeats():
    pauses = "0.1, 0.4, then 1.6 s"
    assert PAUSES_S == (0.1, 0.4, 1.6) and f"wait {pauses}" in PAGE
    assert f"({', '.join(map(str, MAY_PASS))}, no reply) three times" in PAGE.replace("\n", " ")
