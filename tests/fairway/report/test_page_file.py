"""A page is there whole, or as it was before."""

import os

import pytest

from fairway.report.page_file import write_page


class Killed(BaseException):
    """End of the process."""


def test_a_page_takes_the_place_of_the_one_before_and_leaves_nothing_beside_it(tmp_path):
    for text in ("before", "now"):
        write_page(tmp_path / "report.html", text)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"report.html": "now"}


def test_of_a_command_that_is_killed_while_it_writes_the_page_before_stays(tmp_path, monkeypatch):
    write_page(tmp_path / "report.html", "before")

    def killed(source, target):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(Killed):
            write_page(tmp_path / "report.html", "now")
    assert (tmp_path / "report.html").read_text() == "before"
    write_page(tmp_path / "report.html", "now")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"report.html": "now"}


def test_a_page_goes_through_a_link_and_into_a_pipe(tmp_path):
    (tmp_path / "link.html").symlink_to(tmp_path / "page.html")
    write_page(tmp_path / "link.html", "text")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "page.html").read_text() == "text"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_page(tmp_path / "pipe", "text")
    assert os.read(reader, 10) == b"text"
    os.close(reader)
