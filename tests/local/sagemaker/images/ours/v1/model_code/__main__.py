"""An image of our own layout: `python -m model_code VERB`, with `domain` importable beside it."""

import os
import sys
from pathlib import Path

from domain import WORD

base = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
where = base / ("model" if sys.argv[1] == "train" else "processing/output")
(where / "said.txt").write_text(f"{WORD} {' '.join(sys.argv[1:])}")
