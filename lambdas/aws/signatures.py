"""Signatures of releases: made with the stage's own key, which never leaves KMS, and verified before anything is
loaded.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from typing import Any

from domain.release.signature import SignatureRefused, checked_release, signed_text
from lambdas.aws import clients
from lambdas.aws.services import ServiceError
from lambdas.settings import CONFIG

KEY = os.environ["SIGNING_KEY"]
ALGORITHM = {"MessageType": "RAW", "SigningAlgorithm": "ECDSA_SHA_256"}


def sign(release: str, artefact_sha256: str) -> str:
    """Sign a release with its artefact; return about 96 characters of base64."""
    text = signed_text(prefix=CONFIG.prefix, release=release, artefact_sha256=artefact_sha256)
    signature: str = clients.kms().call("Sign", KeyId=KEY, Message=text, **ALGORITHM)["Signature"]
    return signature


def verify(item: Mapping[str, Any]) -> None:
    """Verify a release item or a model package's metadata. Raises SignatureRefused if this stage did not sign it."""
    release, artefact_sha256, signature = checked_release(item)
    text = signed_text(prefix=CONFIG.prefix, release=release, artefact_sha256=artefact_sha256)
    forged = f"release {release} with artefact {artefact_sha256[:12]}... is not what {CONFIG.prefix} signed"
    try:
        decoded = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureRefused(f"{forged}: the signature is not base64") from error
    if not _is_valid(text, decoded):
        raise SignatureRefused(f"{forged}: its item, its metadata or its artefact was changed; train again")


def _is_valid(text: bytes, signature: bytes) -> bool:
    """Ask KMS, which reports an invalid signature as an error of its own; any other error is raised."""
    try:
        reply = clients.kms().call("Verify", KeyId=KEY, Message=text, Signature=signature, **ALGORITHM)
    except ServiceError as error:
        if error.code in ("KMSInvalidSignatureException", "KMSInvalidSignature"):
            return False
        raise
    return bool(reply["SignatureValid"])
