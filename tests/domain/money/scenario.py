"""A stage to reckon with, whose settings and usage each test says for itself, and its resources."""

from domain.config.sections import Config, of_stage
from domain.money.prices import read_prices
from domain.money.resources.lines import Line
from domain.money.template import Resource
from domain.money.usage import Month, month_of, with_usage

PRICES = read_prices("us-east-1")
PROJECT = {"project": {"name": "flights", "contract": "contract.toml", "task": "binary"}}


def config(usage: dict | None = None, **sections) -> Config:
    return with_usage(of_stage({**PROJECT, **sections}, "local"), usage or {})


def month(usage: dict | None = None, **sections) -> Month:
    return month_of(config(usage, **sections))


def requests(count: float) -> dict:
    """A usage of so many requests a month, spread evenly: 730 hours of 3600 seconds."""
    return {"requests_per_second": count / (730 * 3600)}


def resource(type: str, name: str = "Thing", **properties) -> Resource:
    return Resource("Thing", type, properties, name, "flights-local-service")


def only(lines: list[Line], usage_type: str) -> Line:
    """The one line that is billed as this."""
    (found,) = [line for line in lines if line.usage_type.endswith(usage_type)]
    return found
