"""Generations of state on disk: whole or absent, unchanged files shared, the last two kept."""

import os

import pytest

from local import checkpoint
from local.state import LocalError


def write(folder, **states):
    return checkpoint.write(
        folder,
        {name: lambda content=content: content for name, content in states.items()},
        lambda service, state: state.encode(),
    )


def contents(generation) -> dict[str, str]:
    return {path.stem: path.read_text() for path in generation.glob("*.json") if path.name != "manifest.json"}


def test_a_generation_holds_every_service_and_the_newest_is_found(tmp_path):
    write(tmp_path, s3="1", sqs="a")
    newest = write(tmp_path, s3="2", sqs="a")
    assert (checkpoint.latest(tmp_path), contents(newest)) == (newest, {"s3": "2", "sqs": "a"})


def test_nothing_is_written_when_nothing_changed(tmp_path):
    first = write(tmp_path, s3="1")
    assert write(tmp_path, s3="1") is None
    assert [path.name for path in tmp_path.iterdir()] == [first.name]


def test_a_file_that_did_not_change_takes_no_room(tmp_path):
    first, second = write(tmp_path, s3="1", sqs="a"), write(tmp_path, s3="2", sqs="a")
    assert os.path.samefile(first / "sqs.json", second / "sqs.json")


def test_two_generations_are_kept(tmp_path):
    for number in range(4):
        write(tmp_path, s3=str(number))
    assert sorted(contents(path)["s3"] for path in tmp_path.iterdir()) == ["2", "3"]


def test_a_service_that_cannot_be_written_keeps_what_it_was(tmp_path):
    def broken():
        raise RuntimeError("changed while it was read")

    write(tmp_path, s3="1", sqs="a")
    newest = checkpoint.write(tmp_path, {"s3": lambda: "2", "sqs": broken}, lambda service, state: state.encode())
    assert contents(newest) == {"s3": "2", "sqs": "a"}


def test_half_a_generation_is_removed_and_a_damaged_one_passed_over(tmp_path):
    good, damaged = write(tmp_path, s3="1"), write(tmp_path, s3="2")
    (damaged / "s3.json").write_text("x")
    (tmp_path / "00000009.tmp").mkdir()
    assert checkpoint.latest(tmp_path) == good
    assert not (tmp_path / "00000009.tmp").exists()
    (good / "manifest.json").unlink()
    with pytest.raises(LocalError, match="none of the checkpoints .* can be read"):
        checkpoint.latest(tmp_path)


def test_nothing_is_built_upon_a_damaged_generation(tmp_path):
    """A file that did not change is linked: into every generation to come, had the damaged one stayed."""
    write(tmp_path, s3="1", sqs="a")
    damaged = write(tmp_path, s3="2", sqs="b")
    (damaged / "sqs.json").write_text("x")
    checkpoint.latest(tmp_path)
    newest = write(tmp_path, s3="3", sqs="b")
    assert (checkpoint.latest(tmp_path), contents(newest)) == (newest, {"s3": "3", "sqs": "b"})


def test_a_child_writes_one_instant_of_this_process_and_this_process_goes_on(tmp_path):
    state = {"n": 1}

    def save():
        return checkpoint.write(tmp_path, {"s3": lambda: str(state["n"])}, lambda service, content: content.encode())

    assert checkpoint.save_in_child(save) is True
    assert checkpoint.save_in_child(save) is False
    state["n"] = 2
    assert checkpoint.save_in_child(save) is True
    assert contents(checkpoint.latest(tmp_path)) == {"s3": "2"}


def test_a_child_that_fails_leaves_the_last_good_generation(tmp_path):
    good = write(tmp_path, s3="1")
    assert checkpoint.save_in_child(lambda: 1 / 0) is None
    assert checkpoint.latest(tmp_path) == good
