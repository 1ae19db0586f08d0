"""Small pictures: any values can be drawn."""

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
