"""`fairway predict`: rows from an argument or a file to the API."""

import json

import pytest

from tests.fairway.client.server import serving


def echo(request):
    return 200, {"predictions": [{"id": f"id-{row['n']}", "probability": 0.5} for row in request["body"]]}


@pytest.fixture
def api(place):
    """Enter an API that gives this answer; returns the requests so far."""
    opened = []

    def build(answer):
        opened.append(serving(answer))
        url, seen = opened[-1].__enter__()
        place.enter(api_url=url)
        return seen

    yield build
    for server in opened:
        server.__exit__(None, None, None)


def test_a_long_file_reports_how_far_it_is(place, api, tmp_path, monkeypatch):
    monkeypatch.setattr("fairway.terminal.progress.PLAIN_EVERY_S", 0.0)
    api(lambda request: (200, {"predictions": [{"id": "1"} for _ in request["body"]]}))
    (tmp_path / "rows.csv").write_text("hour\n" + "1\n" * 250)
    code, _, err = place.run("predict", "--file", tmp_path / "rows.csv")
    assert code == 0
    assert err.splitlines()[:4] == ["Asking for predictions", "  100 answered", "  200 answered", "  250 answered"]


def test_the_answers_are_a_list_whatever_was_asked(place, api):
    api(echo)
    assert [answer["id"] for answer in place.values("predict", '{"n": 7}')] == ["id-7"]
    assert [answer["id"] for answer in place.values("predict", '[{"n": 7}, {"n": 8}]')] == ["id-7", "id-8"]


def test_a_file_is_read_with_the_contracts_types_a_hundred_rows_at_a_time(place, api, tmp_path):
    seen = api(lambda request: (200, {"predictions": [{"id": row["hour"]} for row in request["body"]]}))
    file = tmp_path / "rows.csv"
    file.write_text("flight_id,hour,temp,late\n" + "".join(f"007,{n % 24},,true\n" for n in range(150)))
    assert [answer["id"] for answer in place.values("predict", "--file", file)] == [n % 24 for n in range(150)]
    assert [len(request["body"]) for request in seen] == [100, 50]
    assert seen[0]["body"][1] == {"flight_id": "007", "hour": 1, "temp": None, "late": True}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "give either ROWS or --file FILE"),
        (["{}", "--file", "rows.csv"], "give either ROWS or --file FILE"),
        (["{not json"], "ROWS: not valid JSON"),
        (["[1]"], "must be an object of column names to values, or a list of them, not 1"),
        (["[]"], "must be an object of column names to values, or a list of them, not []"),
        (["--file", "nowhere.csv"], "nowhere.csv: not found"),
    ],
)
def test_what_is_not_a_row_is_refused(place, words, reason):
    code, out, _ = place.run("predict", *words, "--json")
    assert (code, reason in json.loads(out)["message"]) == (2, True)


def test_an_api_that_is_not_there_is_named(place):
    place.enter(api_url="http://127.0.0.1:9/")
    code, out, _ = place.run("predict", '{"n": 1}', "--json")
    failure = json.loads(out)
    assert (code, failure["error"]) == (1, "no_reply")
    assert "http://127.0.0.1:9/predictions" in failure["message"] and "`fairway up --project " in failure["message"]
