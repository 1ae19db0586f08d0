import dataclasses

from domain.money.difference import Difference, difference
from domain.money.projection import Projection, Unpriced, project
from domain.money.resources.lines import Line
from tests.domain.money.scenario import PRICES, month


def line(name: str, usage: str, usd: float) -> Line:
    return Line(name, "T", "request", "", "", 1.0, usd, usd, "", "high", True, "S", usage, "")


def projection(*lines, unpriced=()) -> Projection:
    return dataclasses.replace(
        project([], month(), PRICES, today="2026-11-28"),
        lines=[line(*each) for each in lines],
        monthly_usd=sum(usd for *_, usd in lines),
        unpriced=[Unpriced(name, "T", "no price") for name in unpriced],
    )


def test_a_change_is_told_largest_first_and_less_than_a_cent_not_at_all():
    before = projection(("Api", "Requests", 5.0), ("Old", "Hours", 2.0), ("Same", "Hours", 1.0), unpriced=["A"])
    after = projection(("Api", "Requests", 8.0), ("New", "Hours", 0.5), ("Same", "Hours", 1.001), unpriced=["A", "B"])
    found = difference(before, after)
    assert (found.before_usd, found.after_usd, round(found.change_usd, 3)) == (8.0, 9.501, 1.501)
    assert [(each.resource, each.change_usd) for each in found.changes] == [
        ("Api", 3.0),
        ("Old", -2.0),
        ("New", 0.5),
    ]
    assert [each.resource for each in found.unpriced] == ["B"]


def test_a_projection_does_not_differ_from_itself():
    same = projection(("Api", "Requests", 5.0), ("Api", "Requests", 5.0))
    assert difference(same, same) == Difference(10.0, 10.0, 0.0, changes=[], unpriced=[])
