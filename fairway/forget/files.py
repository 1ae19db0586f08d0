"""Files below a folder of the lake: the entity's rows leave the current version, and old versions that hold any go.

Every version is looked into each time, so a command that was killed anywhere is gone on with by the next one: an old
version of a file that was rewritten still holds the rows, and goes last, after whatever else names the file.
"""

import hashlib
import io
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from botocore.exceptions import ClientError

from domain import lake
from fairway.forget.form import Form, Found, Unreadable
from fairway.forget.lines import FORMS
from fairway.forget.outcomes import forget_outcomes_of
from fairway.forget.parquet import PARQUET
from fairway.forget.place import NotRead, Place, Removed, Task
from fairway.forget.versions import Version, delete, opened, replace, versions_below
from fairway.scratch import scratch
from fairway.tables.rows import chunks

OBJECTS_AT_ONCE, OBJECTS_AHEAD = 4, 64
READ_BYTES = 4 << 20
ARCHIVED = "InvalidObjectState"
# What our own jobs write beside the rows: counts, settings, manifests.
DOCUMENT = re.compile(rf"{lake.BATCH}(?!incoming/)[^/]+/(summary|settings|contract)/[^/]+\.(json|manifest)")


class Rewritten(NamedTuple):
    """What became of an object: ETags of the versions that go, the current version, and the rows that it holds now."""

    gone: list[str]
    current: Version
    rows: int


def form_of_name(key: str) -> Form | None:
    """Return the form that the end of a name tells."""
    forms = {".parquet": PARQUET, **FORMS}
    return next((form for ending, form in forms.items() if key.lower().endswith(ending)), None)


@dataclass(frozen=True)
class Folder:
    """A folder of the lake: `noticed` takes what a version holds before it goes; `settle` changes whatever else names a
    file that was rewritten, and may be asked to twice.
    """

    prefix: str
    place: str
    form: Callable[[str], Form | None] = form_of_name  # by key
    noticed: Callable[[Task, Found], None] = lambda task, found: None
    settle: Callable[[Task, Rewritten], None] = lambda task, rewritten: None


def below(folder: Folder) -> Place:
    """Make the place of the files below a folder."""
    return partial(_forget_files, folder)


def _forget_files(folder: Folder, task: Task) -> list[Removed]:
    found = [Removed(folder.place)]
    with scratch("forget") as work, ThreadPoolExecutor(OBJECTS_AT_ONCE) as pool:
        for some in chunks(versions_below(task, folder.prefix), OBJECTS_AHEAD):
            for removed in pool.map(partial(_forget_object, folder, task, work), some):
                found += removed
            task.detail(some[-1][0].key)
    return found


def _forget_object(folder: Folder, task: Task, work: Path, versions: list[Version]) -> list[Removed]:
    """Look into each version, rewrite the current one, settle what names it, then delete the versions with rows."""
    looked = [
        (one, _looked_into(folder, task, one)) for one in versions if one.size and not DOCUMENT.fullmatch(one.key)
    ]
    not_read = tuple(NotRead(_called(one), found) for one, found in looked if isinstance(found, str))
    holding = [(one, found) for one, found in looked if isinstance(found, Found) and found.rows]
    current = next(((one, found) for one, found in looked if one.is_current and isinstance(found, Found)), None)
    for _, found in holding:
        folder.noticed(task, found)
    outcomes = [forget_outcomes_of(task, found.ids) for _, found in holding if found.ids]
    if task.really and holding:
        kept = _rewritten(folder, task, *current, work) if current else None
        if kept and current:
            folder.settle(task, Rewritten([one.etag for one, _ in holding], kept, current[1].others))
        for one, _ in holding:
            if kept is None or one.id != kept.id:  # in a bucket without versions the file itself has the id `null`
                delete(task, one)
    return [*outcomes, _counted(folder.place, holding, not_read)]


def _looked_into(folder: Folder, task: Task, version: Version) -> Found | str:
    """Find the entity's rows, or return the reason why nobody can."""
    form = folder.form(version.key)
    if form is None:
        return f"files of this kind are not read; known are .parquet, {', '.join(FORMS)}"
    try:
        return form.look(_readable(task, version), task.entity)
    except Unreadable as error:
        return str(error)
    except ClientError as error:
        if error.response["Error"]["Code"] != ARCHIVED:
            raise
        return f"is archived in {version.storage}; restore it, then run this again"


def _readable(task: Task, version: Version) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(opened(task, version), READ_BYTES))


def _called(version: Version) -> str:
    return version.key if version.is_current else f"{version.key}?versionId={version.id}"


def _rewritten(folder: Folder, task: Task, current: Version, found: Found, work: Path) -> Version:
    """Write the current version without the entity's rows, if it holds any; return the one that is current now."""
    form = folder.form(current.key)
    if form is None or not found.rows:
        return current
    file = work / hashlib.sha256(current.key.encode()).hexdigest()
    form.write(_readable(task, current), task.entity, file)
    new = replace(task, current, file)
    file.unlink()
    return new


def _counted(place: str, holding: list[tuple[Version, Found]], not_read: tuple[NotRead, ...]) -> Removed:
    now = [found.rows for one, found in holding if one.is_current]
    return Removed(place, sum(now), files=len(now), old_versions=len(holding) - len(now), not_read=not_read)
