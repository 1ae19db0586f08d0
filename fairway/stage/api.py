"""The client of a stage's API, for the commands that send rows."""

from typing import Any

from fairway.client import Fairway
from fairway.stage.aws import Stage


def api_of(stage: Stage) -> Fairway:
    """Return a client that signs with the stage's session."""
    session: Any = stage.session
    return Fairway(url=stage.addresses["api_url"], region=session.region_name, credentials=session.get_credentials())
