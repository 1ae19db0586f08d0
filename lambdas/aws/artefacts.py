"""Open a release's artefact to answer in a function: verified as an endpoint verifies it, and kept in /tmp by its hash.

Only code that opens an artefact imports this module, so functions whose endpoints answer start without this part of
model_code.
"""

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from domain import lake
from lambdas.aws import clients
from lambdas.aws.routes import SignedModel
from model_code.answers.answering import responder
from model_code.answers.golden import prove_golden
from model_code.answers.reply import JSON
from model_code.artefact.archive import unpack
from model_code.artefact.folder import MANIFEST, ArtefactRefused, open_artefact
from model_code.kernel import BUILT

LOG = logging.getLogger("fairway")
FOLDER = "fairway-artefacts"
LARGEST_BYTES = 256 << 20  # unpacked; /tmp has 512 MB


class NotCarried(Exception):
    """Report that the function cannot answer with this model; the message names the release and gives the reason."""


def open_release(release: SignedModel, *, verify: Callable[[SignedModel], None]) -> Callable[[bytes], bytes]:
    """Return a function from a request's body to the reply's body, after it has answered the golden rows as in
    training.

    `verify` checks the signature. Raises NotCarried, SignatureRefused, ArtefactRefused, and errors of AWS calls.
    """
    verify(release)
    if not BUILT:
        raise NotCarried(f"release {release['release']}: the functions have no kernel for their processor")
    folder = Path(tempfile.gettempdir(), FOLDER, release["artefact_sha256"])
    if folder.is_dir():
        try:
            return _opened(folder, release)
        except ArtefactRefused as error:
            LOG.warning("artefact in %s is downloaded again: %s", folder, error)
            shutil.rmtree(folder)
    _fetch(release, folder)
    return _opened(folder, release)


def _fetch(release: SignedModel, folder: Path) -> None:
    """Unpack the artefact next to the folder, then rename it, since another process may do the same at once."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        packed = Path(scratch, "model.tar.gz")
        packed.write_bytes(clients.artefacts().get(*lake.split_uri(release["model_uri"])))
        unpacked = unpack(packed, Path(scratch, "artefact"), most_bytes=LARGEST_BYTES)
        try:
            unpacked.rename(folder)
        except OSError:  # the other process was first
            LOG.info("artefact in %s exists already", folder)


def _opened(folder: Path, release: SignedModel) -> Callable[[bytes], bytes]:
    _refuse_what_is_no_plan(folder, release)
    artefact = open_artefact(folder, expected=release["artefact_sha256"])
    prove_golden(artefact)
    respond = responder(artefact, JSON, "")
    return lambda body: respond(body).body


def _refuse_what_is_no_plan(folder: Path, release: SignedModel) -> None:
    """Refuse other models than plans before anything is loaded: they are pickles, or need libraries."""
    file = folder / MANIFEST
    content = file.read_bytes() if file.is_file() else b""
    if hashlib.sha256(content).hexdigest() != release["artefact_sha256"]:
        raise ArtefactRefused(f"{MANIFEST} in the artefact of {release['release']} is not the one that was signed")
    manifest = json.loads(content)
    if manifest["format"] != "plan":
        why = manifest.get("plan_refused", f"its format is {manifest['format']}")
        raise NotCarried(f"release {release['release']} is not a plan, so only an endpoint can answer with it: {why}")
