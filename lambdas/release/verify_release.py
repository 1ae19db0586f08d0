"""Release, first state: check that the signature is ours and that the artefact in the lake is the one it signs.

Where functions answer without endpoints, it also opens the artefact as predict will, and tries it on its golden rows.
"""

import hashlib
import tarfile
from collections.abc import Callable
from typing import IO, TypedDict

from domain import lake
from domain.release.signature import SignatureRefused
from lambdas.aws import objects, signatures
from lambdas.settings import CONFIG

MANIFEST = "manifest.json"
LARGEST_MANIFEST_BYTES = 1 << 20


class Package(TypedDict):
    """A model package of the registry: the metadata that was signed, and the artefact."""

    release: str
    artefact_sha256: str
    signature: str
    model_uri: str


class Verified(TypedDict):
    """A release, and the hash by which the container checks every file of its artefact."""

    release: str
    artefact_sha256: str


def handler(event: Package, context: object) -> Verified:
    verified = verify_release(event, verify=signatures.verify, manifest_of=manifest_of)
    if CONFIG.serving.mode == "function":
        from lambdas.aws import artefacts  # lazy: where endpoints answer nothing of it is needed

        artefacts.open_release(event, verify=signatures.verify)
    return verified


def verify_release(
    package: Package, *, verify: Callable[[Package], None], manifest_of: Callable[[str], bytes]
) -> Verified:
    """Check the signature with `verify`, then the manifest of the artefact. Raises SignatureRefused."""
    verify(package)
    sha256 = hashlib.sha256(manifest_of(package["model_uri"])).hexdigest()
    if sha256 != package["artefact_sha256"]:
        raise SignatureRefused(
            f"release {package['release']}: {MANIFEST} in {package['model_uri']} has the sha256 {sha256}, "
            f"signed was {package['artefact_sha256']}; the artefact was replaced"
        )
    return {"release": package["release"], "artefact_sha256": sha256}


def manifest_of(model_uri: str) -> bytes:
    """Read the manifest while the artefact streams; nothing of it is written or loaded."""
    try:
        with objects.stream(*lake.split_uri(model_uri)) as body:
            return _manifest_in(body)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SignatureRefused(f"{model_uri} is not a model.tar.gz: {error}") from error


def _manifest_in(stream: IO[bytes]) -> bytes:
    with tarfile.open(fileobj=stream, mode="r|gz") as archive:
        for entry in archive:
            if entry.name.removeprefix("./") == MANIFEST and entry.isfile() and (file := archive.extractfile(entry)):
                return file.read(LARGEST_MANIFEST_BYTES)
    raise tarfile.ReadError(f"it has no {MANIFEST}")
