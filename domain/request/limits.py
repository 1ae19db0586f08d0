"""Limits of the API, of which the handlers, the commands and the API's description speak alike."""

MOST_ROWS = 100  # of a request; outcomes too
MOST_PROBLEMS = 1000  # that a refusal lists; a reply has a limit too
LARGEST_BODY_BYTES = 1024 * 1024
LARGEST_ROW_CHARACTERS = 60_000  # as JSON: an item of DynamoDB holds 400 KB, and a character may take six bytes
PAGE, LARGEST_PAGE = 20, 100  # stored predictions of a reply
LONGEST_KEY = 255  # characters of an Idempotency-Key
LONGEST_PREDICTION_ID, LONGEST_ENTITY_ID = 100, 10_000  # characters that name what an outcome is about
