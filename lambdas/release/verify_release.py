"""Release, before anything is made of it: the signature is ours, and the artefact in the lake is the one that was
signed.
"""

import hashlib
import tarfile

from domain import lake
from domain.release.signature import SignatureRefused
from lambdas.aws import objects, signatures

MANIFEST = "manifest.json"
LARGEST_MANIFEST_BYTES = 1 << 20


def handler(event, context):
    return verify_release(event, verify=signatures.verify, manifest_of=manifest_of)


def verify_release(package: dict, *, verify, manifest_of) -> dict:
    """{release, artefact_sha256} of {release, artefact_sha256, signature, model_uri}; the container checks every file
    by it.
    """
    verify(package)
    found = hashlib.sha256(manifest_of(package["model_uri"])).hexdigest()
    if found != package["artefact_sha256"]:
        raise SignatureRefused(
            f"release {package['release']}: {MANIFEST} in {package['model_uri']} has the sha256 {found}, "
            f"signed was {package['artefact_sha256']}; the artefact was replaced"
        )
    return {"release": package["release"], "artefact_sha256": found}


def manifest_of(model_uri: str) -> bytes:
    """Read while it streams, and nothing of it is written or loaded."""
    try:
        with objects.stream(*lake.split_uri(model_uri)) as body:
            return manifest_in(body)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SignatureRefused(f"{model_uri} is not a model.tar.gz: {error}") from error


def manifest_in(stream) -> bytes:
    with tarfile.open(fileobj=stream, mode="r|gz") as archive:
        for entry in archive:
            if entry.isfile() and entry.name.removeprefix("./") == MANIFEST:
                return archive.extractfile(entry).read(LARGEST_MANIFEST_BYTES)
    raise tarfile.ReadError(f"it has no {MANIFEST}")
