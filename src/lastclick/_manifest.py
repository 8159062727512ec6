"""The manifest of a packed log: which segments are in it, in which files, and their checksums.

What stands in it is whole; a file beside it that it does not name is what a killed run left.
"""

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import attrs

from lastclick.errors import LogError, not_readable

NAME = "manifest.json"
SUFFIX = ".parquet"
SCHEMA = 1
#: The columns of a packed file, in their order.
COLUMNS = {
    "type": "VARCHAR",
    "event_id": "VARCHAR",
    "funnel": "VARCHAR",
    "occurred_at": "TIMESTAMP",
    "checkout_id": "VARCHAR",
    "customer_id": "VARCHAR",
    "step": "VARCHAR",
    "reason": "VARCHAR",
    "order_id": "VARCHAR",
    "refund_id": "VARCHAR",
    "channel": "VARCHAR",
    "campaign": "VARCHAR",
    "arm": "VARCHAR",
    "share": "VARCHAR",
    "amount": "DECIMAL(16,4)",
    "currency": "VARCHAR",
    "attributes": "VARCHAR",
    "line": "VARCHAR",
}
_BLOCK_BYTES = 1024 * 1024


@attrs.frozen
class Segment:
    """A segment that was packed.

    Attributes:
        name: Its path within the log, without ``.gz``.
        size: The bytes of its lines, not compressed.
        sha256: Of these bytes.
        crc32: Of these bytes, by which a gzipped file and the state of `roll` know them too.
        files: What the files are called, one a day, that hold its lines.
    """

    name: str
    size: int
    sha256: str
    crc32: int
    files: str


@attrs.frozen
class File:
    """A file that holds lines of segments.

    Attributes:
        path: Within the directory of the manifest.
        rows: How many lines.
        sha256: Of the file.
    """

    path: str
    rows: int
    sha256: str


@attrs.frozen
class Manifest:
    """What a directory holds.

    Attributes:
        segments: In the order in which they were packed.
        files: In the order in which they were written.
    """

    segments: tuple[Segment, ...] = ()
    files: tuple[File, ...] = ()

    def write(self, directory: Path) -> None:
        """Put it in the place of the one before, whole and on the disk, or not at all."""
        content = {"lastclick": "packed", "schema": SCHEMA, **attrs.asdict(self)}
        new = directory / f"{NAME}.tmp"
        with new.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(directory / NAME)
        sync(directory)


def read(directory: Path) -> Manifest | None:
    """The manifest of a directory; None where there is none of ours.

    Raises:
        LogError: It is damaged, or of a later version.
    """
    path = directory / NAME
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        return None


def files(directory: Path) -> list[Path]:
    """The files that the manifest of a directory names.

    Raises:
        LogError: The manifest cannot be used.
    """
    manifest = read(directory)
    return [] if manifest is None else [directory / file.path for file in manifest.files]


def is_packed(file: Path) -> bool:
    """Whether a file is a packed one, by its name."""
    return file.name.endswith(SUFFIX)


def told(path: Path) -> tuple[File, list[Segment]]:
    """What a manifest says of a packed file, and of the segments whose lines it may hold.

    Raises:
        LogError: No manifest names it, or the one that there is cannot be used.
    """
    directory = path.parent.parent
    manifest = read(directory)
    files, segments = ({}, {}) if manifest is None else _by_name(manifest)
    file = files.get(path.relative_to(directory).as_posix())
    if file is None:
        msg = f"{path} is in no {NAME}; pass the directory that lastclick pack wrote"
        raise LogError(msg, path)
    return file, segments.get(path.stem, [])


def check(path: Path) -> int:
    """The number of lines in a packed file, once it is what was written.

    Raises:
        LogError: It is not, may not be read, or no manifest names it.
    """
    file, _ = told(path)
    try:
        found = checksum(path)
    except FileNotFoundError:
        found = None
    except OSError as error:
        raise not_readable(path, error) from error
    compare(path, file, found)
    return file.rows


def compare(path: Path | str, file: File, found: str | None) -> None:
    """See that a file is what was written.

    Args:
        path: Where it is.
        file: What the manifest says of it.
        found: Its checksum; None where it is not there.

    Raises:
        LogError: It is not.
    """
    if found is None:
        raise damaged(path, "it is gone")
    if found != file.sha256:
        raise damaged(path, "its checksum is another than when it was packed")


def damaged(path: Path | str, why: str) -> LogError:
    """The error about a file that is not what it was."""
    msg = f"{path} is damaged: {why}; bring it back from a copy, or pack the log into a new place"
    return LogError(msg, Path(path))


def checksum(path: Path) -> str:
    """The SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a directory, are on the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@lru_cache(maxsize=8)
def _by_name(manifest: Manifest) -> tuple[dict[str, File], dict[str, list[Segment]]]:
    segments: dict[str, list[Segment]] = {}
    for segment in manifest.segments:
        segments.setdefault(segment.files, []).append(segment)
    return {file.path: file for file in manifest.files}, segments


@lru_cache(maxsize=8)
def _read(path: Path, _: int) -> Manifest | None:
    """Read once for many files: the time stands for the content."""
    return parse(path.read_bytes(), path)


def parse(text: bytes, path: Path | str) -> Manifest | None:
    """What a manifest says; None where it is none of ours.

    Raises:
        LogError: It is damaged, or of a later version.
    """
    try:
        content: Any = json.loads(text)
        if not isinstance(content, dict) or content.get("lastclick") != "packed":
            return None  # somebody else's: the name is a common one
        if content["schema"] == SCHEMA:
            return Manifest(
                tuple(Segment(**segment) for segment in content["segments"]),
                tuple(File(**file) for file in content["files"]),
            )
        msg = f"{path} is of schema {content['schema']}; upgrade lastclick to read it"
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{path} is damaged: {error}; bring it back from a copy, or pack the log again"
    raise LogError(msg, Path(path))
