"""Private networks: gateways, endpoints and addresses are billed by the hour, used or not."""

from domain.money.prices import Prices
from domain.money.resources.lines import Line, line
from domain.money.schedule import HOURS_PER_MONTH
from domain.money.template import Resource
from domain.money.usage import KB_PER_GB, Month


def nat_gateway_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    return hourly(resource, prices, ("AmazonEC2", "NatGateway-Hours"), 1) + through(
        resource, usage, prices, ("AmazonEC2", "NatGateway-Bytes")
    )


def vpc_endpoint_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    """An interface endpoint is billed in every zone; the gateways of S3 and DynamoDB are free."""
    if resource.properties.get("VpcEndpointType", "Gateway") == "Gateway":
        return hourly(resource, prices, ("AmazonVPC", "GatewayEndpoint"), 1)
    zones = len(resource.properties.get("SubnetIds", [])) or 1
    return hourly(resource, prices, ("AmazonVPC", "VpcEndpoint-Hours"), zones) + through(
        resource, usage, prices, ("AmazonVPC", "VpcEndpoint-Bytes")
    )


def address_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    return hourly(resource, prices, ("AmazonVPC", "PublicIPv4:InUseAddress"), 1)


def firewall_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    rules = len(resource.properties.get("Rules", []))
    return [
        line(resource, prices, flow="request", what="firewall", price=("awswaf", "WebACLV2"), quantity=1, fixed=True),
        line(resource, prices, flow="request", what="rules", price=("awswaf", "RuleV2"), quantity=rules, fixed=True),
        line(
            resource,
            prices,
            flow="request",
            what="inspected",
            price=("awswaf", "RequestV2-Tier1"),
            quantity=usage.requests,
        ),
    ]


def hourly(resource: Resource, prices: Prices, price: tuple[str, str], count: int) -> list[Line]:
    hours = count * HOURS_PER_MONTH
    return [line(resource, prices, flow="request", what="by the hour", price=price, quantity=hours, fixed=True)]


def through(resource: Resource, usage: Month, prices: Prices, price: tuple[str, str]) -> list[Line]:
    gb = usage.requests * (usage.usage.request_kb + usage.usage.reply_kb) / KB_PER_GB
    return [line(resource, prices, flow="request", what="data", price=price, quantity=gb)]
