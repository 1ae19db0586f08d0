"""The demo's own steps; tests/journeys/test_flights.py holds what it tells to account."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from flights.demo import Demo, DemoFailed, prepare

ROOT = Path(__file__).parents[2]


def test_data_that_cannot_be_prepared_stops_the_demo_with_the_reason(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DemoFailed, match=r"prepare.py .*file: .*; `make setup` installs what it needs"):
        prepare(Demo(tmp_path, tmp_path / "file", []))


def test_a_month_that_is_not_whole_is_not_there(tmp_path, monkeypatch):
    """Killed halfway through December, the next demo makes the data again and does not score half a month."""
    spec = importlib.util.spec_from_file_location("prepare", ROOT / "flights/prepare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "table", lambda: pd.DataFrame({"month": [1, 12]}))

    def killed(part, file, **_):
        file.write_text("mon")
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_csv", killed)
    with pytest.raises(KeyboardInterrupt):
        module.main(tmp_path)
    assert list(tmp_path.glob("*.csv")) == []


def test_the_demo_says_how_it_is_asked():
    done = subprocess.run(
        [sys.executable, ROOT / "flights/demo.py", "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and "--enforce-iam" in done.stdout
