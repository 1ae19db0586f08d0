"""What is signed of a release, so that nothing but what this stage trained is ever served or scored with.

The signature covers the name of the release and the hash of its artefact's manifest, which in turn has the hash of
every file: one changed byte anywhere breaks the chain. It says where an artefact comes from, and not that it is good:
that is the gate's and the registry's to say.
"""

import re

SHA256 = re.compile(r"[0-9a-f]{64}")


class SignatureRefused(Exception):
    """A release is not what this stage signed; the message names the release and what is wrong."""


def signed_text(*, prefix: str, release: str, artefact_sha256: str) -> bytes:
    """Each on a line of its own, which none of them can hold; the first says what kind of promise this is."""
    return f"fairway release 1\n{prefix}\n{release}\n{artefact_sha256}\n".encode()


def checked_release(item: dict) -> tuple[str, str, str]:
    """(release, artefact_sha256, signature) of a release item or a model package's metadata."""
    release = item.get("release")
    if not isinstance(release, str) or not release or "\n" in release:
        raise SignatureRefused(f"release {release!r} has no name that could be signed")
    if not isinstance(item.get("artefact_sha256"), str) or not SHA256.fullmatch(item["artefact_sha256"]):
        raise SignatureRefused(f"release {release}: artefact_sha256 {item.get('artefact_sha256')!r} is no sha256")
    if not item.get("signature"):
        raise SignatureRefused(
            f"release {release} is not signed; train again, a release of before cannot be signed later"
        )
    return release, item["artefact_sha256"], item["signature"]
