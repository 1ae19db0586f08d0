"""The artefact: a folder with the model, its contract, golden rows with their answers, and a manifest that hashes each
file.

The same rows, settings and code give the same bytes: no clock, host, path or run name is written. What does not match
its manifest is refused by name before anything of it is loaded.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.contract import schema as contract_rules
from domain.contract.schema import Contract
from model_code.artefact.manifest import Manifest, ModelPart
from model_code.engines.limits import limits_of
from model_code.engines.scorer import COLUMNS_FILE, MODEL_FILE, PLAN_FILE, Scorer, load_scorer
from model_code.rows.features import model_columns

MANIFEST, CONTRACT, GOLDEN = "manifest.json", "contract.json", "golden.json"


class ArtefactRefused(Exception):
    """An artefact is not what its manifest says; the message names the file."""


@dataclass(frozen=True)
class Artefact:
    """A verified artefact, ready to score. `sha256` is the hash of its manifest and so of everything in it."""

    manifest: Manifest
    contract: Contract
    scorer: Scorer
    golden: dict[str, Any]  # instances, their predictions, and `within` where they have a bound of their own
    sha256: str


# ---- writing


def write_model(folder: Path, estimator: Any, contract: Contract) -> ModelPart:
    """Write the estimator as a plan, or as itself if no plan can express it; return its part of the manifest."""
    import joblib  # lazy: only training needs these two, a server starts without them

    from model_code.plan import PlanRefused, compile_plan  # lazy: as joblib

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


def seal(folder: Path, manifest: Manifest) -> str:
    """Write the manifest with the hash of each file in the folder; return its sha256, which is the artefact's."""
    files = {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.name != MANIFEST}
    (folder / MANIFEST).write_bytes(as_json({**manifest, "files": files}))
    return sha256(folder / MANIFEST)


def as_json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# ---- reading


def open_artefact(folder: Path, *, expected: str | None = None) -> Artefact:
    """Open the artefact in `folder` after checking that no file is missing, added or changed, and that the contract is
    its own.

    Raises ArtefactRefused for the file that differs. `expected` is the signed hash; without one the folder is only
    checked to be consistent with itself.
    """
    manifest = _verified_manifest(folder)
    digest = sha256(folder / MANIFEST)
    if expected is not None and digest != expected:
        raise ArtefactRefused(
            f"{folder / MANIFEST} is not the one that was signed: its sha256 is {digest}, not {expected}"
        )
    contract = contract_rules.from_dict(json.loads((folder / CONTRACT).read_bytes()))
    if contract.hash != manifest["contract_hash"]:
        raise ArtefactRefused(
            f"{folder / CONTRACT} has the hash {contract.hash}, the manifest has {manifest['contract_hash']}"
        )
    golden = json.loads((folder / GOLDEN).read_bytes())
    scorer = load_scorer(folder, ignored=[column.name for column in contract.columns if column.role != "feature"])
    scorer.set_limits(limits_of(contract), listed=contract.task == "multiclass")
    return Artefact(manifest, contract, scorer, golden, digest)


def _verified_manifest(folder: Path) -> Manifest:
    file = folder / MANIFEST
    try:
        manifest: Manifest = json.loads(file.read_bytes())
        listed = dict(manifest["files"])
    except FileNotFoundError:
        raise ArtefactRefused(f"{file} is not there; {folder} holds no artefact") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ArtefactRefused(f"{file} is not a manifest: {error!r}") from None
    _refuse_other_files(folder, set(listed))
    for name, expected in sorted(listed.items()):
        digest = sha256(folder / name)
        if digest != expected:
            raise ArtefactRefused(f"{folder / name} was changed: its sha256 is {digest}, the manifest has {expected}")
    return manifest


def _refuse_other_files(folder: Path, listed: set[str]) -> None:
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()} - {MANIFEST}
    for name in sorted(there ^ listed | {CONTRACT, GOLDEN} - listed):
        wrong = "is not named by its manifest" if name in there else "is missing"
        raise ArtefactRefused(f"{folder / name} {wrong}; take the artefact as it was trained")
