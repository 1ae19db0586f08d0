"""Settings and contracts that are meant to do harm, or no file at all: one line, at once."""

import os
from pathlib import Path

import pytest

from domain.config.sections import ConfigError, read_config
from domain.config.toml_file import LARGEST_BYTES, document_of
from domain.contract.file import read_contract

PROJECT = '[project]\nname = "shop"\ncontract = "{}"\ntask = "binary"\n'
DIGITS = "9" * 5000
NO_FILE = "must be a file, not a folder, a pipe or a device"


def refused(file: Path) -> str:
    with pytest.raises(ConfigError) as error:
        read_contract(file, "binary")
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{file}: ")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/stdin", "/dev"])
def test_what_may_never_end_is_not_read(device):
    assert refused(Path(device)) == NO_FILE


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path / "pipe") == NO_FILE


def test_a_link_to_a_device_is_one(tmp_path):
    (tmp_path / "contract.toml").symlink_to("/dev/zero")
    assert refused(tmp_path / "contract.toml") == NO_FILE


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"a = {DIGITS}".encode(), "not valid TOML: Exceeds the limit (4300 digits) for integer string conversion"),
        (b"a = " + b"[" * 100_000, "not valid TOML: lists or tables are nested too deeply"),
        (b"a = " + b"{a = " * 100_000, "not valid TOML: lists or tables are nested too deeply"),
        (b"\xff\xfe", "not valid TOML: 'utf-8' codec can't decode byte 0xff"),
        (b"#" * (LARGEST_BYTES + 1), "must have at most 4,194,304 bytes"),
    ],
)
def test_what_no_settings_are_is_refused_by_its_reason(tmp_path, content, said):
    file = tmp_path / "contract.toml"
    file.write_bytes(content)
    assert refused(file).startswith(said)


def test_a_file_as_large_as_allowed_is_read(tmp_path):
    file = tmp_path / "contract.toml"
    file.write_bytes(b"a = 1\n".ljust(LARGEST_BYTES, b"#"))
    assert document_of(file) == {"a": 1}


@pytest.mark.parametrize("path", ["/etc/passwd", "../other/contract.toml", "a/../../b.toml", "..\\\\b.toml", ""])
def test_a_contract_outside_of_the_project_is_refused(tmp_path, path):
    (tmp_path / "fairway.toml").write_text(PROJECT.format(path))
    with pytest.raises(ConfigError) as error:
        read_config(tmp_path)
    assert "must be the path of a file inside the project, such as contract.toml" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("path", ["contract.toml", "flights/contract.toml", "./contracts/a..b.toml"])
def test_a_contract_inside_of_the_project_is_taken(tmp_path, path):
    (tmp_path / "fairway.toml").write_text(PROJECT.format(path))
    assert read_config(tmp_path).project.contract == path


def test_a_number_beyond_every_float_is_refused_in_a_contract_and_in_settings(tmp_path):
    (tmp_path / "fairway.toml").write_text(PROJECT.format("c.toml") + f"[business]\ntrue_positive_usd = {'9' * 400}\n")
    with pytest.raises(ConfigError) as error:
        read_config(tmp_path)
    assert "\n" not in str(error.value)
