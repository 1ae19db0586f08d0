"""The picture of `fairway cost --hosting --plot FILE`, read back as the XML that it is."""

import itertools
import re
from xml.etree import ElementTree

import pytest

from domain.money.hosting import Measured, compare
from fairway.money.hosting_plot import write_plot
from fairway.terminal.errors import Refused
from tests.domain.money.scenario import PRICES, month, requests

USAGE = month({**requests(2_000_000), "request_kb": 0.001, "reply_kb": 0.001, "predict_ms": 200.0})
FOUND = compare(USAGE, Measured(scoring_ms=100.0, p99_ms=8.0, memory_mb=300.0, size_mb=5.0), PRICES)
TITLE = 'Hosting "a & b"'


def drawn(tmp_path, found=FOUND, **options):
    file = tmp_path / "plot.svg"
    write_plot(file, found, **{"title": TITLE, "requests": USAGE.requests, **options})
    return ElementTree.fromstring(file.read_text())


def words(picture) -> list[str]:
    return [each.text for each in picture.findall(".//{*}text")]


def test_there_is_a_line_for_each_kind_of_host_named_at_its_end(tmp_path):
    picture = drawn(tmp_path)
    lines = list(picture.findall(".//{*}polyline"))
    assert [len(line.get("points").split()) for line in lines] == [len(FOUND["curve"])] * 3
    assert {"function 512 MB", "serverless 1024 MB", "ml.t2.medium"} <= set(words(picture))
    assert words(picture)[0] == TITLE


def test_dearer_is_higher_and_more_is_further_right(tmp_path):
    for line in drawn(tmp_path).findall(".//{*}polyline"):
        points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        assert points == sorted(points)
        assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)


def test_it_shows_where_hosts_cross_and_where_we_are(tmp_path):
    picture = drawn(tmp_path)
    (crossing,) = [each["requests"] for each in FOUND["break_even"] if each["below"].startswith("serverless")]
    assert len(list(picture.findall(".//{*}circle"))) == 2
    assert f"{crossing / 1e6:.3g}M" in words(picture)
    assert "now: 2M" in words(picture)
    assert not any("now" in each for each in words(drawn(tmp_path, requests=1.0)))  # left of the picture


def test_names_never_lie_on_each_other(tmp_path):
    names = [each for each in drawn(tmp_path).findall(".//{*}text") if each.text in FOUND["curve"][0]]
    places = sorted(float(each.get("y")) for each in names)
    assert all(later - earlier > 15 for earlier, later in itertools.pairwise(places))


def test_the_page_is_one_file_that_fetches_nothing(tmp_path):
    write_plot(tmp_path / "plot.html", FOUND, title=TITLE, requests=1e6)
    page = (tmp_path / "plot.html").read_text()
    assert page.startswith("<!doctype html>")
    assert re.findall(r"https?://[^\"']+", page) == ["http://www.w3.org/2000/svg"]  # a name, not an address


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(Refused, match=r"plot.png: must end in .svg or .html"):
        write_plot(tmp_path / "plot.png", FOUND, title=TITLE, requests=1e6)
    with pytest.raises(Refused, match="nothing to plot: the usage profile has no requests"):
        drawn(tmp_path, {**FOUND, "curve": []})
