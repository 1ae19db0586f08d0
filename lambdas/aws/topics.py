"""Tell people, through the topic that alarms go to."""

import functools

from lambdas.aws import clients
from lambdas.aws.clients import BotocoreClient

LONGEST_SUBJECT = 100  # of SNS, in characters


def announce(topic: str, subject: str, message: str) -> None:
    """Publish a message. A subject that is too long is cut."""
    _sns().publish(TopicArn=topic, Subject=subject[:LONGEST_SUBJECT], Message=message)


@functools.cache
def _sns() -> BotocoreClient:
    return clients.build("sns", tries=4, connect_s=2, read_s=10)
