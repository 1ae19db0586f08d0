"""Small pictures: any values can be drawn."""

import re

import pytest

from fairway.report import charts
from fairway.report.charts import Bar, Dot, Limit


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5], [0.0, 0.0], [-3.0, 1e9]])
def test_any_values_can_be_drawn(values):
    name, limit = "<a>" * 20, Limit(0.1, "<l>")
    for picture in (
        charts.dots([Dot(name, value) for value in values], limit=None, title="<t>"),
        charts.dots([Dot(name, value, error=0.1) for value in values], limit=limit, title="<t>"),
        charts.bars([Bar(name, value, low=0.0, high=1.0) for value in values], limits=[limit], title="<t>"),
    ):
        assert picture.count("<text") == picture.count("</text>") >= 2 * len(values)
        assert "nan" not in picture and "<a>" not in picture and "<l>" not in picture and "<t>" not in picture


def test_a_value_stands_where_its_scale_puts_it():
    picture = charts.bars([Bar("half", 50.0), Bar("all", 100.0, strong=True)], limits=[], title="cost")
    assert '<rect class="bar" x="190" y="32" width="211.5" height="18" rx="2"/>' in picture
    assert '<rect class="bar strong" x="190" y="62" width="423.1" height="18" rx="2"/>' in picture
    assert ">$50.00</text>" in picture and ">$100.00</text>" in picture


@pytest.mark.parametrize(("at", "anchor"), [(0.5, "start"), (0.61, "middle"), (0.72, "end")])
def test_on_a_narrow_screen_names_stand_above_their_marks_and_those_of_limits_stay_within(at, anchor):
    rows = [Dot("logistic_regression", 0.72, strong=True), Dot("prior", 0.5)]
    limit = Limit(at, "at least so much was agreed by everybody")
    _, _, narrow = charts.dots(rows, limit=limit, title="quality").split("<svg")
    assert narrow.startswith(' class="chart on-narrow" viewBox="0 0 350 142"')
    assert f'text-anchor="{anchor}">at least' in narrow
    assert '<text class="name strong" x="0" y="58" text-anchor="start">logistic_regression</text>' in narrow
    assert '<circle class="dot strong" cx="255.5" cy="72" r="5"/>' in narrow


def test_on_a_narrow_screen_each_limit_is_named_on_a_line_of_its_own():
    limits = [Limit(75.0, "75 %: a warning"), Limit(100.0, "budget $100.00")]
    wide, narrow = charts.bars([Bar("train", 3.0)], limits=limits, title="cost").split("<svg")[1:]
    heights = re.compile(r'limit-name" x="[0-9.]+" y="([0-9]+)"')
    assert heights.findall(wide) == ["15", "15"]
    assert heights.findall(narrow) == ["29", "15"]
