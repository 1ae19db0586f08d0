"""JSON documents as one short text, for items of DynamoDB; no query needs to look into them."""

import base64
import json
import zlib
from typing import Any


def packed_json(document: object) -> str:
    """Write the document as compressed text; the same document gives the same text."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpacked_json(text: str) -> Any:
    """Return the document that `packed_json` wrote."""
    return json.loads(zlib.decompress(base64.b64decode(text)))
