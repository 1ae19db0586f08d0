"""Tell people, through the topic that alarms go to."""

from lambdas.aws import clients

LONGEST_SUBJECT = 100  # of SNS, in characters


def announce(topic: str, subject: str, message: str) -> None:
    """Publish a message. A subject that is too long is cut."""
    clients.sns().publish(TopicArn=topic, Subject=subject[:LONGEST_SUBJECT], Message=message)
