"""Resources of this stage, from the deployed templates of its two stacks."""

import functools

from domain.money.template import Resource, resources
from lambdas.aws import clients
from lambdas.aws.clients import BotocoreClient
from lambdas.settings import CONFIG

STACKS = (f"{CONFIG.prefix}-data", f"{CONFIG.prefix}-service")


def deployed() -> list[Resource]:
    return [
        resource
        for stack in STACKS
        for resource in resources(cloudformation().get_template(StackName=stack)["TemplateBody"], stack)
    ]


@functools.cache
def cloudformation() -> BotocoreClient:
    return clients.build("cloudformation", tries=4, connect_s=2, read_s=20)
