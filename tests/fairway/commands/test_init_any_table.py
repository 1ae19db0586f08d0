"""Whatever a table holds, the contract that `fairway init` drafts from it takes it whole."""

import json
import tempfile
import tomllib
from datetime import date, datetime
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairway.draft import toml
from tests.fairway.commands.drafting import drafted, write_csv

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=12)


cells = {
    "words": st.sampled_from(["red", "green", "blue", "0", "NA", "-", "1e5", "nan", "Infinity"]),
    "text": texts,
    "integers": st.integers(-(10**18), 10**18).map(str),
    "small": st.integers(-3, 3).map(str),
    "codes": st.integers(0, 99999).map("{:05}".format),
    "floats": st.floats(allow_nan=False, allow_infinity=False).map(repr),
    "decimals": st.decimals(-1000, 1000, places=2).map(str),
    "booleans": st.sampled_from(["true", "False", "TRUE"]),
    "yes": st.sampled_from(["yes", "no"]),
    "bits": st.sampled_from(["0", "1", "1.0"]),
    "days": st.dates(date(1900, 1, 1), date(2100, 1, 1)).map(str),
    "moments": st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(lambda m: m.isoformat()),
    "dates": st.dates().map(lambda d: f"{d.day}/{d.month}/{d.year}"),
    "empty": st.just(""),
    "mixed": st.one_of(texts, st.integers().map(str), st.just("true")),
}


ODD_NAMES = [
    "Größe (cm)",
    "1st",
    "select",
    "a.b",
    'say "hi"',
    "back\\slash",
    "it's",
    "日本",
    "two  spaces",
    "[x]",
    "#",
    "=",
    "",
    "tab\there",
    "true",
    "name",
]


targets = st.sampled_from(
    [
        ["true", "false"],
        ["Yes", "No"],
        ["0", "1"],
        ["0.0", "1.0"],
        ["a", "b", "c"],
        ["1.5", "2.5", "-3", "7"],
        ["3", "4", "5"],
    ]
)


@st.composite
def tables(draw):
    names = draw(st.lists(st.one_of(st.sampled_from(ODD_NAMES), texts), min_size=3, max_size=6, unique=True))
    kinds = [draw(st.sampled_from(sorted(cells))) for _ in names[2:]]
    known = draw(targets)
    count = draw(st.integers(len(known), 40))
    rows = []
    for number in range(count):
        target = known[number] if number < len(known) else draw(st.sampled_from([*known, ""]))
        drawn = [draw(st.one_of(cells[kind], st.just("")) if number % 7 == 3 else cells[kind]) for kind in kinds]
        rows.append([target, number % 5, *drawn])  # the number is something to learn from, whatever else is drawn
    return names, rows


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(tables())
def test_any_table_of_text_is_taken_whole_by_the_contract_drafted_from_it(table):
    names, rows = table
    with tempfile.TemporaryDirectory() as folder:
        drafted(write_csv(Path(folder) / "table.csv", names, rows), names[0], Path(folder) / "out", rows=len(rows))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.sampled_from([st.booleans(), st.integers(-5, 2**60), st.floats(), texts]), st.integers(8, 30))
def test_any_table_of_typed_values_is_taken_whole(data, kind, count):
    column = data.draw(st.lists(st.one_of(kind, st.none()), min_size=count, max_size=count))
    rows = [{"x": value, "n": number, "late": number % 2 == 0} for number, value in enumerate(column)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.jsonl"
        file.write_text(
            "".join(
                json.dumps(
                    {key: None if value != value else value for key, value in row.items() if value not in INFINITE}
                )
                + "\n"
                for row in rows
            )
        )
        drafted(file, "late", Path(folder) / "out", rows=count)


INFINITE = (float("inf"), float("-inf"))


@given(
    st.dictionaries(
        texts,
        st.one_of(
            texts,
            st.booleans(),
            st.integers(-(2**63), 2**63 - 1),
            st.floats(allow_nan=False, allow_infinity=False),
            st.lists(texts),
        ),
    )
)
def test_toml_reads_back_as_it_was_meant(document):
    assert tomllib.loads("\n".join(toml.lines(document))) == document
    assert tomllib.loads(f"inline = {toml.value(document)}") == {"inline": document}
