"""The page shows what people wrote as text, whatever it is: no markup of theirs, no script, no turned writing."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.contract.schema import Column
from domain.watch.observed import Observed
from domain.watch.verdict import WindowItem
from fairway.report.page import page
from fairway.report.record import (
    Batch,
    Champion,
    Check,
    Evidence,
    Failing,
    File,
    Judged,
    Loads,
    Release,
    Report,
    Source,
    Trial,
    Tried,
)
from fairway.report.trial import difference_chart, harm_chart
from fairway.stage.standing import Standing
from fairway.terminal.plain import plain

TIME = "2013-04-01T00:00:00Z"
HOSTILE = [
    "<script>alert('x')</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title><b>",
    "{{ 7 * 7 }}{% include 'page.html' %}",
    "&lt;already&amp;",
    "\u202eevil\u2066",
    "nul\x00bell\x07",
]
MEASUREMENT = {
    "rows": 10,
    "evaluate_start": TIME,
    "as_of": TIME,
    "standard_error": 0.01,
    "p99_ms": 1.0,
    "size_mb": 1.0,
}
people_write = st.lists(st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"])), min_size=1).map(
    "".join
)


class Read(HTMLParser):
    """What a browser makes of a page: the names of its elements, its attributes, and its text."""

    def __init__(self, document: str):
        super().__init__()
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(document)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def report_of(words: str) -> Report:
    """A report in which everything that a person, a file or a table names is called `words`."""
    column = Column(words, "string", categories=(words,), source=words, owner=words, description=words)
    check = Check(words, words, 0.6, 0.7, 0.5, None, kept=False)
    return Report(
        project=words,
        stage=words,
        made_at=TIME,
        routing_reason=words,
        champion=Champion(
            release=words,
            since=TIME,
            run=words,
            candidate=words,
            reason=f"why: {words}",
            why=words,
            answers=words,
            is_imported=False,
        ),
        standing=Standing(
            release=words,
            metric=words,
            at_release=0.7,
            newest=MEASUREMENT | {"release": words, "run": words, "metrics": {words: 0.6}, "broken": [words]},
            observed=Observed(500, words, 0.61, 0.01),
            broken=[words],
        ),
        judged=Judged(
            metric=words,
            smaller_is_better=False,
            rows=100,
            window={"train_start": TIME, "evaluate_start": TIME, "as_of": TIME},
            coverage=None,
            checks=[check],
            quality=0.7,
            standard_error=0.01,
            calibration_error=0.01,
            calibration_limit=0.05,
            agreed=0.6,
            prior=0.5,
            before=None,
            tried=[Tried(words, 0.7, 0.01)],
            sure={"agreed": 0.9, "rows": 50, "share": 0.9, "worst": 0.8, "window": 25, "certain": 0.5, "wrong": 0.2},
            risk={"answered": [0.5, 1.0], "wrong": [0.1, 0.2], "worst": [None, 0.3], "window": 25},
        ),
        windows=[window_of(words)],
        wrong_at_release=0.2,
        failing=Failing({"prediction": words, "probability": 0.2}, words, 1500, 5.0, 10, 1, words, 60, words),
        trial=trial_of(words),
        releases=[Release(words, words, words, TIME, words)],
        loads=Loads(1, 1, {words: 1}, TIME, 5, [File(words, 1, 1, TIME, TIME, TIME)]),
        batches=[Batch(words, words, words, 1, 1, 0, 1, 0.5, adds_up=True)],
        bill=None,
        bill_unknown=words,
        sources=[Source(words, words, [column])],
    )


def window_of(words: str) -> WindowItem:
    """A window in which a column of that name moved."""
    finding = {"kind": "feature", "text": words, "window": TIME[:10], "since": TIME[:10], "release": words}
    return {
        "kind": "window",
        "run": TIME[:10],
        "start": TIME,
        "end": TIME,
        "as_of": TIME,
        "state": "drifted",
        "rows": 10,
        "releases": {words: {"rows": 10, "fallbacks": {words: 1}, "is_compared": True}},
        "outcomes": {words: {"outcomes": 5, "wrong": 1, "metrics": {}, "is_open": True}},
        "breaches": {"rows": 0, "quarantined": 0, "reasons": {}},
        "findings": [{**finding, "column": words, "source": words, "owner": words, "psi": 0.1, "p_value": 0.0}],
        "decision": {"action": "evaluate", "reason": "drift", "drifted": [words], "run": f"evaluate-{TIME[:10]}"},
    }


def trial_of(words: str) -> Trial:
    """An experiment that was looked at three times."""
    looks = [
        {"at": f"2013-04-01T0{hour}:00:00Z", "entities": 100 * hour, "evidence": {"slow answers": 0.5 * hour}}
        for hour in range(1, 4)
    ]
    return Trial(
        kind="experiment",
        release=words,
        champion=words,
        state=words,
        is_running=True,
        share=words,
        began_at=TIME,
        since=TIME,
        why=words,
        metric=words,
        found=words,
        looks=[{**look, "difference": [-0.1, 0.1, 0.3]} for look in looks],
        evidence=[Evidence("slow answers", "4.5", "100", words)],
    )


def test_what_followed_from_a_window_is_told_and_a_window_from_which_nothing_did_is_not():
    report = report_of("distance")
    told = "distance began to drift; an evaluation on the newest rows shows what that means; evaluate-"
    assert f"evaluate: {told}{TIME[:10]} was started" in squeezed(Read(page(report)).text)
    quiet = {**report.windows[0], "decision": {"action": "nothing", "reason": "no loss"}}
    assert "What followed" not in page(dataclasses.replace(report, windows=[quiet]))


def test_a_trial_is_drawn_over_time_once_there_are_two_looks():
    document = page(report_of("r-2"))
    assert "What is being tried" in document
    for title in ("evidence of harm by r-2", "r-2 beside r-2"):
        assert document.count(f"<title>{title}</title>") == 1
    single = dataclasses.replace(trial_of("r-2"), looks=trial_of("r-2").looks[:1])
    assert harm_chart(single) is None and difference_chart(single) is None
    assert "no release was rolled out in shares" in page(dataclasses.replace(report_of("r-2"), trial=None))


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@given(people_write)
def test_whatever_people_wrote_is_shown_as_text(words):
    plain_page, read = Read(page(report_of("zqj"))), Read(page(report_of(words)))
    assert read.elements == plain_page.elements  # nothing of theirs became an element, and none of ours was closed
    assert read.attributes == plain_page.attributes
    shown = squeezed(plain(words)).strip()
    assert squeezed(read.text).count(shown) >= plain_page.text.count("zqj") - 2  # both forms of the picture shorten one


@pytest.mark.parametrize("words", HOSTILE)
def test_no_script_and_no_mark_that_turns_the_writing_reaches_the_page(words):
    document = page(report_of(words))
    assert "<script" not in document and "<img" not in document
    assert re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", document) is None
