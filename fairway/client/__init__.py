"""The Python client of a stage's API. It needs botocore and nothing else.

from fairway.client import Fairway

api = Fairway(url="https://abc123.execute-api.eu-central-1.amazonaws.com")
api.predict({"carrier": "UA", "origin": "EWR"})["probability"]
"""

from fairway.client.api import MOST_ROWS, Fairway
from fairway.client.endpoint import Credentials
from fairway.client.errors import Failed, FairwayError, Problem, Refused
from fairway.client.replies import Confidence, Outcomes, Prediction

__all__ = [
    "MOST_ROWS",
    "Confidence",
    "Credentials",
    "Failed",
    "Fairway",
    "FairwayError",
    "Outcomes",
    "Prediction",
    "Problem",
    "Refused",
]
