"""Whatever was changed on the way from training to serving is refused, by name, before anything is made of it."""

import hashlib
import io
import tarfile

import pytest

from domain.release.signature import SignatureRefused
from lambdas.aws import signatures
from lambdas.aws.services import ServiceError
from lambdas.release.verify_release import handler
from tests.lambdas import stage

MANIFEST = b'{"files": {"plan.bin": "..."}}'
SHA256 = hashlib.sha256(MANIFEST).hexdigest()
URI = f"s3://{stage.LAKE}/artefacts/run-1/prior/output/model.tar.gz"


def archive(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.replace("_", "."))
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def package(aws) -> dict:
    """What the registry knows of a release whose artefact is in the lake."""
    aws.upload(
        URI.removeprefix(f"s3://{stage.LAKE}/"), archive(contract_json=b"{}", manifest_json=MANIFEST, plan_bin=b"\0")
    )
    return {"release": "r-1", "artefact_sha256": SHA256, "signature": signatures.sign("r-1", SHA256), "model_uri": URI}


def test_a_release_as_it_was_signed_may_be_served(package):
    assert handler(package, None) == {"release": "r-1", "artefact_sha256": SHA256}


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"release": "r-2"}, "release r-2 with artefact .* is not what flights-local signed"),
        ({"release": None}, "release = None: must be a name on one line"),
        ({"release": "r-1\nflights"}, "must be a name on one line"),
        ({"artefact_sha256": "0" * 64}, "release r-1 with artefact 000000000000... is not what flights-local signed"),
        ({"artefact_sha256": None}, "release r-1: artefact_sha256 = None: must be 64 hexadecimal digits"),
        ({"artefact_sha256": SHA256.upper()}, "must be 64 hexadecimal digits"),
        ({"signature": None}, "release r-1 has no signature and cannot be signed after training; train again"),
        ({"signature": "not base64!"}, "the signature is not base64"),
        ({"signature": "AAAA"}, "its item, its metadata or its artefact was changed"),
    ],
)
def test_a_changed_release_is_refused_by_name(package, changed, refusal):
    with pytest.raises(SignatureRefused, match=refusal):
        handler({**package, **changed}, None)


def test_every_byte_of_the_signature_counts(package):
    signature = bytearray(signatures.base64.b64decode(package["signature"]))
    signature[-1] ^= 1
    with pytest.raises(SignatureRefused, match="is not what flights-local signed"):
        handler({**package, "signature": signatures.base64.b64encode(signature).decode()}, None)


def test_the_signature_of_another_key_counts_for_nothing(aws, package):
    other = aws.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    text = signatures.signed_text(prefix="flights-local", release="r-1", artefact_sha256=SHA256)
    forged = aws.kms.sign(KeyId=other, Message=text, MessageType="RAW", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
    with pytest.raises(SignatureRefused, match="is not what flights-local signed"):
        handler({**package, "signature": signatures.base64.b64encode(forged).decode()}, None)


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (archive(manifest_json=MANIFEST.replace(b"plan", b"evil")), "has the sha256 .*; the artefact was replaced"),
        (archive(plan_bin=b"\0"), "is not a model.tar.gz: it has no manifest.json"),
        (archive(manifest_json=MANIFEST)[:40], "is not a model.tar.gz"),
        (b"not even gzip", "is not a model.tar.gz"),
    ],
)
def test_an_artefact_that_was_replaced_is_refused(aws, package, body, refusal):
    aws.upload(URI.removeprefix(f"s3://{stage.LAKE}/"), body)
    with pytest.raises(SignatureRefused, match=refusal):
        handler(package, None)


def test_a_key_that_cannot_be_asked_is_another_matter(package, monkeypatch):
    monkeypatch.setattr(signatures, "KEY", "alias/not-there")
    with pytest.raises(ServiceError, match="Verify: NotFoundException"):
        handler(package, None)
