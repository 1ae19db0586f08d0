"""The text that is signed for a release, so that only releases trained by this stage are served or scored with.

The signature covers the name of the release and the hash of its artefact's manifest, which contains the hash of every
file: one changed byte anywhere breaks the chain. It proves where an artefact comes from, not that it is good; that is
decided by the gate and recorded in the registry.
"""

import re
from collections.abc import Mapping
from typing import Any

SHA256 = re.compile(r"[0-9a-f]{64}")


class SignatureRefused(Exception):
    """Report that a release is not the one that this stage signed; the message names the release and the fault."""


def signed_text(*, prefix: str, release: str, artefact_sha256: str) -> bytes:
    """Write each field on a line of its own, as no field has a line end; the first line names the kind of text."""
    return f"fairway release 1\n{prefix}\n{release}\n{artefact_sha256}\n".encode()


def checked_release(item: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return (release, artefact_sha256, signature) of a release item or a model package's metadata."""
    release = item.get("release")
    if not isinstance(release, str) or not release or "\n" in release:
        raise SignatureRefused(f"release = {release!r}: must be a name on one line")
    if not isinstance(item.get("artefact_sha256"), str) or not SHA256.fullmatch(item["artefact_sha256"]):
        raise SignatureRefused(
            f"release {release}: artefact_sha256 = {item.get('artefact_sha256')!r}: must be 64 hexadecimal digits"
        )
    if not item.get("signature"):
        raise SignatureRefused(f"release {release} has no signature and cannot be signed after training; train again")
    return release, item["artefact_sha256"], item["signature"]
