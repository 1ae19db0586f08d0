"""pandas is there for whoever has data frames, and nobody else loads it."""

import subprocess
import sys

IMPORTED = """
import importlib, sys
from model_code.light import without_pandas
with without_pandas():
    for verb in ("train", "evaluate", "score", "replay", "monitor"):
        importlib.import_module(f"model_code.{verb}")
import pyarrow as pa
table = pa.table({"a": [1, None], "b": ["x", "y"]})
assert "pandas" not in sys.modules
import pandas as pd
frame = table.to_pandas()
assert type(frame) is pd.DataFrame and pa.Table.from_pandas(frame)["b"].to_pylist() == ["x", "y"]
"""


def test_no_job_imports_pandas_and_it_works_as_ever_for_whoever_does():
    ran = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
