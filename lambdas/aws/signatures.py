"""Releases signed by the stage's own key in KMS, which the key never leaves, and checked before anything of them is
loaded.
"""

import base64
import binascii
import os

from botocore.exceptions import ClientError

from domain.release.signature import SignatureRefused, checked_release, signed_text
from lambdas.aws import clients
from lambdas.settings import CONFIG

KEY = os.environ["SIGNING_KEY"]
HOW = {"MessageType": "RAW", "SigningAlgorithm": "ECDSA_SHA_256"}


def sign(release: str, artefact_sha256: str) -> str:
    """Base64, about 96 characters."""
    text = signed_text(prefix=CONFIG.prefix, release=release, artefact_sha256=artefact_sha256)
    return base64.b64encode(clients.kms().sign(KeyId=KEY, Message=text, **HOW)["Signature"]).decode()


def verify(item: dict) -> None:
    """Raises SignatureRefused for a release item, or a model package's metadata, that this stage did not sign as
    it is.
    """
    release, artefact_sha256, signature = checked_release(item)
    text = signed_text(prefix=CONFIG.prefix, release=release, artefact_sha256=artefact_sha256)
    forged = f"release {release} with artefact {artefact_sha256[:12]}... is not what {CONFIG.prefix} signed"
    try:
        given = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureRefused(f"{forged}: the signature is not base64") from error
    if not is_valid(text, given):
        raise SignatureRefused(f"{forged}: somebody changed its item, its metadata or its artefact; train again")


def is_valid(text: bytes, signature: bytes) -> bool:
    """KMS says no by an error; whatever else is wrong is another matter, and is raised."""
    try:
        return clients.kms().verify(KeyId=KEY, Message=text, Signature=signature, **HOW)["SignatureValid"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("KMSInvalidSignatureException", "KMSInvalidSignature"):
            return False
        raise
