"""The API: requests in steps of 512 kilobytes, and data sent to the internet."""

import math

from domain.money.prices import Prices
from domain.money.resources.lines import Line, line
from domain.money.template import Resource
from domain.money.usage import KB_PER_GB, Month

STEP_KB = 512.0
MESSAGE_STEP_KB = 32.0


def http_api_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    if resource.properties.get("ProtocolType") == "WEBSOCKET":
        return _websocket_lines(resource, usage, prices)
    steps = math.ceil(max(usage.usage.request_kb, usage.usage.reply_kb) / STEP_KB)
    price = ("AmazonApiGateway", "ApiGatewayHttpRequest")
    return [
        line(resource, prices, flow="request", what="predictions asked", price=price, quantity=usage.requests * steps),
        line(resource, prices, flow="watch", what="outcomes told", price=price, quantity=usage.outcomes),
        egress(resource, usage, prices),
    ]


def rest_api_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    price = ("AmazonApiGateway", "ApiGatewayRequest")
    asked = line(resource, prices, flow="request", what="predictions asked", price=price, quantity=usage.requests)
    return [asked, egress(resource, usage, prices)]


def _websocket_lines(resource: Resource, usage: Month, prices: Prices) -> list[Line]:
    """Price a message each way for each request; connection time is not known, so it is not counted."""
    steps = sum(math.ceil(kb / MESSAGE_STEP_KB) for kb in (usage.usage.request_kb, usage.usage.reply_kb))
    price = ("AmazonApiGateway", "ApiGatewayMessage")
    return [line(resource, prices, flow="request", what="messages", price=price, quantity=usage.requests * steps)]


def egress(resource: Resource, usage: Month, prices: Prices) -> Line:
    quantity = usage.requests * usage.usage.reply_kb / KB_PER_GB
    price = ("AWSDataTransfer", "DataTransfer-Out-Bytes")
    return line(resource, prices, flow="request", what="replies leaving AWS", price=price, quantity=quantity)
