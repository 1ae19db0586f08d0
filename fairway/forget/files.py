"""Files below a folder of the lake: remove the entity's rows from the current version, and old versions that have any.

Every version is searched each time, so a command that was killed at any point is continued by the next one: an old
version of a rewritten file still has the rows, and is deleted last, after whatever else names the file.
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
# Files of our own jobs without rows: counts, settings, manifests.
DOCUMENT = re.compile(rf"{lake.BATCH}(?!incoming/)[^/]+/(summary|settings|contract)/[^/]+\.(json|manifest)")


class Rewritten(NamedTuple):
    """An object with rows of the entity: ETags of the versions to delete, the current version, and the number of its
    remaining rows.
    """

    gone: list[str]
    current: Version
    rows: int


def _form_of_name(key: str) -> Form | None:
    """Return the form for the ending of a name."""
    forms = {".parquet": PARQUET, **FORMS}
    return next((form for ending, form in forms.items() if key.lower().endswith(ending)), None)


@dataclass(frozen=True)
class Folder:
    """A folder; `noticed` gets what a version holds before it is deleted.

    `settle` changes whatever else names a rewritten file, and may be called twice.
    """

    prefix: str
    place: str
    form: Callable[[str], Form | None] = _form_of_name  # by key
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
    """Search each version, rewrite the current one, update what names it, then delete the versions with rows."""
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
    """Find the entity's rows, or return the reason why the file cannot be searched."""
    form = folder.form(version.key)
    if form is None:
        return f"its name must end in .parquet, {', '.join(FORMS)}"
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
    """Write the current version without the entity's rows, if it has any; return the version that is current now."""
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
