"""The artefact: a folder with the model, its contract, golden rows with their answers, and a manifest that hashes each
file.

The same rows, settings and code give the same bytes: no clock, host, path or run name is written. What does not match
its manifest is refused by name before anything of it is loaded.
"""

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from domain.contract import schema as contract_rules
from domain.contract.schema import Contract
from model_code.engines.limits import limits_of
from model_code.engines.scorer import COLUMNS_FILE, MODEL_FILE, PLAN_FILE, Scorer, load_scorer
from model_code.rows.features import model_columns

MANIFEST, CONTRACT, GOLDEN = "manifest.json", "contract.json", "golden.json"
LARGEST_BYTES = 4 << 30  # of one file in an archive


class ArtefactRefused(Exception):
    """An artefact is not what its manifest says; the message names the file."""


@dataclass(frozen=True)
class Artefact:
    """A verified artefact, ready to score. `sha256` is the hash of its manifest and so of everything in it."""

    manifest: dict
    contract: Contract
    scorer: Scorer
    golden: dict
    sha256: str


# ---- writing


def write_model(folder: Path, estimator, contract: Contract) -> dict:
    """Writes the fitted estimator as a plan, or as itself where no plan can express it; the manifest's part about it."""
    import joblib  # only training needs these: a server starts without them

    from model_code.plan import PlanRefused, compile_plan

    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONTRACT).write_bytes(as_json(contract_rules.as_dict(contract)))
    columns = model_columns(contract)
    try:
        (folder / PLAN_FILE).write_bytes(compile_plan(estimator, columns))
        return {"format": "plan"}
    except PlanRefused as error:
        joblib.dump(estimator, folder / MODEL_FILE)
        (folder / COLUMNS_FILE).write_bytes(as_json(columns))
        return {"format": "sklearn", "plan_refused": str(error)}


def seal(folder: Path, manifest: dict) -> str:
    """Writes the manifest over all that lies in the folder; its sha256 is the artefact's."""
    files = {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.name != MANIFEST}
    (folder / MANIFEST).write_bytes(as_json({**manifest, "files": files}))
    return sha256(folder / MANIFEST)


def as_json(value) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# ---- reading


def open_artefact(folder: Path, *, expected: str | None = None) -> Artefact:
    """The artefact in `folder`, verified: every file is there, none is added, each has its hash, the contract is the
    one it was trained under. `expected` is the hash that was signed; without one the folder is only true to itself.
    """
    manifest = verified_manifest(folder)
    found = sha256(folder / MANIFEST)
    if expected is not None and found != expected:
        raise ArtefactRefused(
            f"{folder / MANIFEST} is not the one that was signed: its sha256 is {found}, not {expected}"
        )
    contract = contract_rules.from_dict(json.loads((folder / CONTRACT).read_bytes()))
    if contract.hash != manifest["contract_hash"]:
        raise ArtefactRefused(
            f"{folder / CONTRACT} has the hash {contract.hash}, the manifest says {manifest['contract_hash']}"
        )
    golden = json.loads((folder / GOLDEN).read_bytes())
    scorer = load_scorer(folder, ignored=[column.name for column in contract.columns if column.role != "feature"])
    scorer.hold_to(limits_of(contract), listed=contract.task == "multiclass")
    return Artefact(manifest, contract, scorer, golden, found)


def verified_manifest(folder: Path) -> dict:
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_bytes())
        listed = dict(manifest["files"])
    except FileNotFoundError:
        raise ArtefactRefused(f"{file} is not there; {folder} holds no artefact") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ArtefactRefused(f"{file} is not a manifest: {error!r}") from None
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()} - {MANIFEST}
    for name in sorted(there ^ set(listed) | {CONTRACT, GOLDEN} - set(listed)):
        what = "is not named by its manifest" if name in there else "is missing"
        raise ArtefactRefused(f"{folder / name} {what}; take the artefact as it was trained")
    for name, expected in sorted(listed.items()):
        found = sha256(folder / name)
        if found != expected:
            raise ArtefactRefused(f"{folder / name} was changed: its sha256 is {found}, the manifest says {expected}")
    return manifest


# ---- model.tar.gz


def pack(folder: Path, file: Path) -> None:
    """One flat tar.gz of the folder's files, the same bytes for the same files."""
    with (
        file.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for part in sorted(folder.iterdir()):
            entry = tarfile.TarInfo(part.name)
            entry.size, entry.mode = part.stat().st_size, 0o644
            tar.addfile(entry, io.BytesIO(part.read_bytes()))


def unpack(file: Path, folder: Path) -> Path:
    """The artefact's files of a model.tar.gz: plain files at its top and nothing else, so that nothing lands
    elsewhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(file, "r:gz") as tar:
            for entry in tar:
                if entry.isdir() and entry.name.strip("./") == "":
                    continue
                refuse_entry(file, entry)
                # By hand, since Debian's Python 3.11 has no filters that make extraction safe; these are plain files.
                with tar.extractfile(entry) as content, (folder / entry.name.removeprefix("./")).open("wb") as out:
                    shutil.copyfileobj(content, out)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ArtefactRefused(f"{file} is not a model.tar.gz: {error}") from error
    return folder


def refuse_entry(file: Path, entry: tarfile.TarInfo) -> None:
    name = entry.name.removeprefix("./")
    if not entry.isfile() or "/" in name or "\\" in name or name in ("", ".", ".."):
        raise ArtefactRefused(f"{file} holds {entry.name!r}; an artefact has plain files at its top and nothing else")
    if entry.size > LARGEST_BYTES:
        raise ArtefactRefused(
            f"{file} holds {entry.name!r} of {entry.size:,} bytes; at most {LARGEST_BYTES:,} are taken"
        )
