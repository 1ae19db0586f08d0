import pytest

from domain.release.routing import EMPTY, FRESH_S
from lambdas.aws.routes import ReleaseUnknown, RoutingCache, champion_model, read_routing
from tests.lambdas import stage


class Table:
    """A routing that can be changed, or be out of reach, and a clock that can be turned on."""

    def __init__(self):
        self.version, self.reads, self.now, self.is_up = 1, 0, 0.0, True
        self.cache = RoutingCache("routing", self.read, clock=lambda: self.now)

    def read(self, table: str):
        self.reads += 1
        if not self.is_up:
            raise TimeoutError("no DynamoDB")
        return {"version": self.version}


def test_a_routing_is_read_once_in_a_few_seconds():
    table = Table()
    assert [table.cache.current()["version"] for _ in range(5)] == [1] * 5
    table.version, table.now = 2, FRESH_S - 0.1
    assert table.cache.current() == {"version": 1}
    table.now = FRESH_S
    assert table.cache.current() == {"version": 2}
    assert table.reads == 2


def test_while_it_cannot_be_read_the_last_one_serves_and_nobody_waits_each_time():
    table = Table()
    table.cache.current()
    table.is_up, table.now = False, 60.0
    assert [table.cache.current() for _ in range(5)] == [{"version": 1}] * 5
    assert table.reads == 2
    table.is_up, table.version, table.now = True, 2, 66.0
    assert table.cache.current() == {"version": 2}


def test_never_read_there_is_none():
    table = Table()
    table.is_up = False
    assert table.cache.current() is None


def test_before_the_first_release_the_routing_is_empty(aws):
    assert read_routing(stage.ROUTING) == EMPTY
    assert champion_model(stage.ROUTING) is None


def test_a_champion_that_nothing_is_known_of_is_said_to_be_unknown(aws):
    aws.route()
    with pytest.raises(ReleaseUnknown) as unknown:
        champion_model(stage.ROUTING)
    assert str(unknown.value) == "champion 'r-1' has no item in table flights-local-routing; promote another release"
