"""What the tests ask of predict, and what they compare of its answers."""

POST, ONE, MANY = "POST /predictions", "GET /predictions/{id}", "GET /predictions"
ROW = {
    "flight_id": "UA-1545-EWR-2013-04-01",
    "departure": "2013-04-01T09:15:00Z",
    "carrier": "UA",
    "origin": "EWR",
    "dest": "IAH",
    "month": 4,
    "weekday": 1,
    "hour": 5,
    "minute": 15,
    "arrival_hour": 8,
    "distance": 1400,
    "temp": 39.02,
}
# how sure an answer is by a release without a confidence table, and the fallback's without one
UNCOUNTED = {"cases": 0, "says": "No similar case has been counted."}
NO_MODEL = {"cases": 0, "says": "No model answered; no similar case has been counted."}


def row(name: str, **values) -> dict:
    return {**ROW, "flight_id": name, **values}


def said(answer: dict) -> dict:
    """The answer without what is new each time."""
    return {name: value for name, value in answer.items() if name not in ("id", "made_at")}
