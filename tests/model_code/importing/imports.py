"""How the tests import a model: what the process of `fairway import` does, on rows that lie where the lake's would."""

from pathlib import Path

import pytest

from domain.contract import schema as contract_rules
from model_code.artefact.archive import unpack
from model_code.artefact.folder import open_artefact
from model_code.importing import sandbox
from model_code.importing.__main__ import bring
from model_code.importing.formats import ImportRefused
from tests.model_code.folders import write_rows
from tests.model_code.importing import warm

WARM = (".joblib", ".pkl", ".skops", ".onnx")  # their frameworks are imported already


class Importer:
    """Imports files under one contract, each into a folder of its own."""

    def __init__(self, folder: Path, contract, rows):
        self.folder, self.contract, self.count = folder, contract, 0
        self.rows = folder / "rows.parquet"
        write_rows(self.rows, contract, rows)

    def answer(self, file: Path, *, closed_off: bool = False, **options) -> dict:
        """{artefact, sha256, ...}: the model.tar.gz and what is said about it.

        `closed_off`: by the process that `fairway import` starts, where otherwise a fork would do.
        """
        self.count += 1
        folder = self.folder / f"import-{self.count}"
        folder.mkdir()
        asked = {
            "file": str(file),
            "name": "imported",
            "trust": False,
            "module": None,
            "encoding": "ordinal",
            "answers": [],
            "contract": contract_rules.as_dict(self.contract),
            "rows": [str(self.rows)],
            "folder": str(folder),
            "code_version": "abc",
        }
        run = sandbox.run if closed_off or file.suffix not in WARM else warm.run
        return bring({**asked, **options}, run=run)

    def artefact(self, file: Path, **options):
        """The imported artefact, opened as the container opens it, and what was said about it."""
        said = self.answer(file, **options)
        return open_artefact(unpack(Path(said["artefact"]), self.folder / f"artefact-{self.count}")), said

    def refusal(self, file: Path, **options) -> str:
        with pytest.raises(ImportRefused) as refused:
            self.answer(file, **options)
        return str(refused.value)
