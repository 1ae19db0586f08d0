"""A contract as one short text, for the item of the release that was made under it."""

import base64
import json
import zlib

from domain.contract.schema import Contract, as_dict, from_dict


def packed(contract: Contract) -> str:
    """Write the contract as compressed text, about 400 characters for ten columns; no query needs to look into it."""
    document = json.dumps(as_dict(contract), sort_keys=True, ensure_ascii=False)
    return base64.b64encode(zlib.compress(document.encode(), 9)).decode()


def unpacked(text: str) -> Contract:
    """Return the contract that `packed` wrote."""
    return from_dict(json.loads(zlib.decompress(base64.b64decode(text))))
