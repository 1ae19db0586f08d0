"""Request bodies: what can be read is read as json.loads and csv read it, what cannot is refused with its row, column
and value.
"""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model_code import kernel
from model_code.plan import compile_plan
from model_code.plan.engines import PlanEngine
from model_code.refusals import BodyRefused, RowRefused
from tests.model_code.pipelines import COLUMNS, FITTED, NAMES

pytestmark = pytest.mark.skipif(not kernel.BUILT, reason="the kernel is not built")


@pytest.fixture(scope="module")
def engines():
    from model_code.kernel.engine import KernelEngine

    data = compile_plan(FITTED["histogram, native categories"], COLUMNS)
    return KernelEngine(data, ("flight_id",)), PlanEngine(data, ("flight_id",))


def outcome(read, *arguments):
    """What came of a body: (scores by row, refused rows), or that it was refused as a whole."""
    try:
        scores, refusals = read(*arguments)
    except BodyRefused as refusal:
        assert not isinstance(refusal, RowRefused) and str(refusal)  # noqa: PT017 - either outcome is right; a refusal is looked at
        return "refused"
    return scores.tolist().__repr__(), [refusal.row for refusal in refusals]


def refusals_of(engines, body):
    """The refusals' texts, which both engines write alike."""
    texts = [[str(refusal) for refusal in engine.json(body)[1]] for engine in engines]
    assert texts[0] == texts[1]
    return texts[0]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"delay": "12.5"}', "row 1, column 'delay': must be a number or null, not \"12.5\""),
        ('{"delay": true}', "row 1, column 'delay': must be a number or null, not true"),
        ('{"delay": 1e400}', "row 1, column 'delay': must be a number or null, not 1e400"),
        ('{"delay": -1E+9999}', "row 1, column 'delay': must be a number or null, not -1E+9999"),
        ('{"delay": [1, [2]]}', "row 1, column 'delay': must be a number or null, not [1, [2]]"),
        ('{"carrier": 12}', "row 1, column 'carrier': must be text or null, not 12"),
        ('{"carrier": {}}', "row 1, column 'carrier': must be text or null, not {}"),
        ('{"night": 1}', "row 1, column 'night': must be true, false or null, not 1"),
        ('{"night": "true"}', "row 1, column 'night': must be true, false or null, not \"true\""),
        ('{"delay": 1, "delay": 1}', "row 1, column 'delay': must be given once"),
        (
            '{"speed": 3}',
            f"row 1, column 'speed': must be a column of the model, one of {', '.join(map(repr, NAMES))}",
        ),
        ("3", "row 1: must be an object of column names to values, not 3"),
        ("null", "row 1: must be an object of column names to values, not null"),
        ('{"carrier": ' + "9" * 100 + "}", "row 1, column 'carrier': must be text or null, not " + "9" * 60 + "..."),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_row_column_and_value_and_spoils_no_other_row(engines, row, said):
    body = b'{"instances": [{"delay": 7}, %s, {"delay": 7}]}' % row.encode()
    texts = refusals_of(engines, body)
    assert texts == [said]
    alone = engines[0].json(b'{"instances": [{"delay": 7}]}')[0][0]
    scores = engines[0].json(body)[0]
    np.testing.assert_array_equal(scores[[0, 2]], [alone, alone])
    assert np.isnan(scores[1]).all()


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "-0",
        "-0.0",
        "0e5",
        "1e-400",
        "-1e-400",
        "5e-324",
        "2.5e-324",
        "2.4703282292062327e-324",
        "4.9406564584124654e-324",
        "1e308",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "9007199254740993",
        "9007199254740992.9999",
        "0.1",
        "0.30000000000000004",
        "123456789012345678901234567890",
        "1" + "0" * 300,
        "0." + "0" * 300 + "1",
        "1" * 400 + "e-380",
        "0." + "0" * 330 + "1e320",
        "1e22",
        "1e23",
        "8.5e-23",
        "3.141592653589793238462643383279",
        "1E+2",
        "2e-0",
        "179769313486231570" + "0" * 291,
    ],
)
def test_a_number_is_read_as_the_nearest_float(engines, number):
    wanted = engines[1].rows([{"delay": float(number), "distance": float(number)}])[0]
    body = f'{{"instances": [{{"delay": {number}, "distance": {number}}}]}}'.encode()
    for engine in engines:
        np.testing.assert_array_equal(engine.json(body)[0], wanted)


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "{}",
        "[]",
        "[{}]",
        "3",
        '{"instances"}',
        '{"instances": }',
        '{"instances": {}}',
        '{"instances": [}',
        '{"instances": [{]}',
        '{"instances": [{}',
        '{"instances": [{}]',
        '{"instances": [{}]} x',
        '{"instances": [{},]}',
        '{"instances": [{"delay"}]}',
        '{"instances": [{"delay": }]}',
        '{"instances": [{"delay": 1,}]}',
        '{"instances": [{"delay": 01}]}',
        '{"instances": [{"delay": 1.}]}',
        '{"instances": [{"delay": .5}]}',
        '{"instances": [{"delay": +1}]}',
        '{"instances": [{"delay": 1e}]}',
        '{"instances": [{"delay": -}]}',
        '{"instances": [{"delay": NaN}]}',
        '{"instances": [{"delay": Infinity}]}',
        '{"instances": [{"delay": -Infinity}]}',
        '{"instances": [{"delay": 0x10}]}',
        '{"instances": [{"delay": 1 2}]}',
        '{"instances": [{"delay": nul}]}',
        '{"instances": [{"night": True}]}',
        '{"instances": [{"carrier": "UA}]}',
        '{"instances": [{"carrier": "\\x"}]}',
        '{"instances": [{"carrier": "\\u12g4"}]}',
        '{"instances": [{"carrier": "\\u12"}]}',
        '{"instances": [{"carrier": "a\nb"}]}',
        "{'instances': []}",
        '{"instances": [], "instances": []}',
        '{"a": 1}',
        '{"instances": [{}]}}',
        '{"instances": [[}]]}',
        '{"other": [1, {"a": }], "instances": []}',
        "\ufeff{}",
    ],
)
def test_what_is_not_json_of_that_shape_is_refused_as_a_whole(engines, body):
    for engine in engines:
        with pytest.raises(BodyRefused):
            engine.json(body.encode())


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [{"carrier": "\xff"}]}',
        b'{"instances": [{"carrier": "\xed\xa0\x80"}]}',
        b"\xff\xfe{}",
        b'{"instances": [{"carrier": "\xc0\xaf"}]}',
    ],
)
def test_bytes_that_are_not_utf_8_are_refused(engines, body):
    for engine in engines:
        with pytest.raises(BodyRefused):
            engine.json(body)


def test_nesting_without_end_is_refused_and_exhausts_nothing(engines):
    for deep in (b"[" * 100_000, b'{"a":' * 100_000, b'{"instances": [{"delay": ' + b"[" * 100_000):
        for engine in engines:
            with pytest.raises(BodyRefused):
                engine.json(deep)


@pytest.mark.parametrize(
    "body",
    [
        '{"instances": [{"carrier": "\\u0055A"}]}',
        '{"instances": [{"carr\\u0069er": "UA"}]}',
        '{ "x" : [1, {"y": [true, null, "z"]}] ,\n"instances":[ { "carrier"\t: "UA" } ]\r}',
        '{"instances": [{"flight_id": {"any": ["thing"]}, "carrier": "UA"}]}',
    ],
)
def test_escapes_spaces_members_of_no_use_and_ignored_columns_change_nothing(engines, body):
    wanted = engines[0].json(b'{"instances":[{"carrier":"UA"}]}')[0]
    for engine in engines:
        scores, refusals = engine.json(body.encode())
        assert refusals == []
        np.testing.assert_array_equal(scores, wanted)


@pytest.mark.parametrize("text", ["東京", "🛫", "São Paulo", "line\nbreak"])
def test_a_category_is_known_in_bytes_and_in_escapes(engines, text):
    wanted = engines[1].rows([{"città": text}])[0]
    for ascii_ in (True, False):
        body = json.dumps({"instances": [{"città": text}]}, ensure_ascii=ascii_).encode()
        np.testing.assert_array_equal(engines[0].json(body)[0], wanted)


def test_json_lines_are_rows(engines):
    body = b'{"carrier": "UA"}\n\n{"delay": 3}\r\n {"delay": "x"} '
    for engine in engines:
        scores, refusals = engine.json_lines(body)
        np.testing.assert_array_equal(scores[:2], engine.json(b'{"instances": [{"carrier": "UA"}, {"delay": 3}]}')[0])
        assert [refusal.row for refusal in refusals] == [2]
        with pytest.raises(BodyRefused):
            engine.json_lines(b'{"delay": 1} {"delay": 2}')


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x,2,3,UA,Zürich,true", "row 1, column 'distance': must be a number or null, not x"),
        ("1e999,2,3,UA,Zürich,true", "row 1, column 'distance': must be a number or null, not 1e999"),
        ("nan,2,3,UA,Zürich,true", "row 1, column 'distance': must be a number or null, not nan"),
        ("1,2,3,UA,Zürich,maybe", "row 1, column 'night': must be true, false or null, not maybe"),
        ("1,2,3,UA,Zürich", "row 1: cells = 5: must be 6"),
        ("1,2,3,UA,Zürich,true,", "row 1: cells = 7: must be 6"),
    ],
)
def test_a_csv_line_that_does_not_fit_is_refused_and_spoils_no_other(engines, line, said):
    good = "1,2,3,UA,Zürich,1"
    for engine in engines:
        scores, refusals = engine.csv(f"{good}\n{line}\r\n{good}".encode(), False)
        assert [str(refusal).replace('"', "") for refusal in refusals] == [said]
        np.testing.assert_array_equal(scores[0], scores[2])
        assert np.isnan(scores[1]).all()


@pytest.mark.parametrize("body", [b'"open', b'"a"b,1', b"\xff,1", b"x" * 131_073, b'"' + "é".encode() * 131_073 + b'"'])
def test_what_is_not_csv_is_refused_as_a_whole(engines, body):
    for engine in engines:
        with pytest.raises(BodyRefused, match="not CSV"):
            engine.csv(body, False)


@pytest.mark.parametrize("header", [b"distance,speed\n1,2", b"distance,distance\n1,2"])
def test_a_header_of_unknown_or_repeated_names_is_refused(engines, header):
    for engine in engines:
        with pytest.raises(BodyRefused, match="the header names"):
            engine.csv(header, True)


VALID = json.dumps(
    {
        "instances": [
            {"distance": 12.5, "carrier": 'quo"ted', "night": True, "delay": -1e-7},
            {"città": "東京", "month": None},
        ],
        "more": [1, {"a": "b"}],
    }
).encode()
MUTATION = st.tuples(
    st.integers(0, len(VALID) - 1),
    st.integers(0, 3),
    st.sampled_from(
        [b"", *(bytes([c]) for c in b'{}[]",:\\ 0-.e\x00\xff'), b"null", b"true", b"1e999", b"\\u0041", b'"delay":']
    ),
).map(tuple)


@settings(max_examples=600, deadline=None)
@given(mutations=st.lists(MUTATION, min_size=1, max_size=4))
def test_a_broken_body_has_the_same_outcome_in_both_engines(engines, mutations):
    body = VALID
    for place, removed, put in mutations:
        body = body[:place] + put + body[place + removed :]
    assert outcome(engines[0].json, body) == outcome(engines[1].json, body)


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=40) | st.text('{}[]",:01e.-+ntf\\u \n', max_size=40).map(str.encode))
@example(b'{"instances":[{"delay":1e5,"delay":2}]}')
def test_any_bytes_at_all_have_the_same_outcome_in_both_engines(engines, body):
    for wrapped in (body, b'{"instances": [' + body + b"]}", b'{"instances": [{"delay": ' + body + b"}]}"):
        assert outcome(engines[0].json, wrapped) == outcome(engines[1].json, wrapped)


@settings(max_examples=300, deadline=None)
@given(body=st.text('1,2.e-+"\r\ntfxUA\ufeff', max_size=40).map(str.encode), header=st.booleans())
@example("\ufeffdelay\r1\r".encode(), True)
@example("é".encode() * 131_072, False)
def test_any_text_at_all_has_the_same_outcome_as_csv_in_both_engines(engines, body, header):
    assert outcome(engines[0].csv, body, header) == outcome(engines[1].csv, body, header)
