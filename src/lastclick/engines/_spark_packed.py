"""Packed logs as Spark reads them: the files that manifests name, by their columns.

The cluster holds each file against its checksum, so it does not matter where the files are.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lastclick import _manifest
from lastclick._rows import USUAL
from lastclick.engines._dialect import SPARK
from lastclick.engines._spark_lines import excluded, group, nested
from lastclick.errors import LogError

_TYPES = {"VARCHAR": "STRING", "TIMESTAMP": "TIMESTAMP_NTZ"}
_SCHEMA = ", ".join(f"{name} {_TYPES.get(of, of)}" for name, of in _manifest.COLUMNS.items())
#: Where Sail is not told which columns there are, it makes one of a folder such as day=2026-10-01.
TEXT = "lastclick_text STRING"


def packed_at(path: str, session: Any) -> tuple[Any, int]:
    """The rows of packed logs at a path or below it, and of how many files; None if of none.

    Raises:
        LogError: A file or a manifest is damaged, or no manifest names the file at the path.
    """
    directory, only = _apart(path) if path.endswith(_manifest.SUFFIX) else (path, "")
    manifests = below(session, _manifest.NAME).schema(TEXT).text(directory).inputFiles()
    files = [file for place in manifests for file in _files(unquote(place), only, session)]
    if only and not files:
        msg = f"{path} is in no {_manifest.NAME}; pass the directory that lastclick pack wrote"
        raise LogError(msg, Path(path))
    if not files:
        return None, 0
    reader = below(session, f"*{_manifest.SUFFIX}").schema(_SCHEMA)
    return reader.parquet(*files), len(files)


def packed_facts(source: str, by: Sequence[str], exclude: Mapping[str, Sequence[object]]) -> str:
    """A select of rows, as `lastclick.engines._spark_lines.facts` has them, of what columns say."""
    kinds = " ".join(f"WHEN {SPARK.quoted(name)} THEN {kind}" for name, kind in USUAL.items())
    units = "CAST(CAST(amount AS DECIMAL(20, 4)) * CAST(10000 AS DECIMAL(5, 0)) AS BIGINT)"
    # As a text, since a time without a zone would be taken for one of the session's.
    instant = "CAST(concat(CAST(occurred_at AS STRING), 'Z') AS TIMESTAMP_LTZ)"
    return f"""SELECT unix_micros({instant}) AS t, CASE type {kinds} END AS kind, event_id,
        checkout_id, customer_id, coalesce(step, order_id, arm, channel) AS what,
        coalesce(reason, refund_id, campaign) AS more, {units} AS units,
        coalesce(currency, share) AS currency, {excluded(exclude)} AS excluded, {group(by)} AS grp,
        funnel, CAST(NULL AS STRING) AS line
    FROM (SELECT *, {nested("attributes", "noted_")} FROM {source} WHERE line IS NULL) said"""


def _apart(path: str) -> tuple[str, str]:
    """The directory of a packed log, and a file's path within it."""
    *above, day, name = path.split("/")
    return "/".join(above) or ".", f"{day}/{name}"


def below(session: Any, names: str) -> Any:
    """A reader of files below a directory, which takes no name of a folder for a column."""
    reader = session.read.option("recursiveFileLookup", "true")
    return reader.option("pathGlobFilter", names)


def _files(place: str, only: str, session: Any) -> list[str]:
    """The files that a manifest names, or just one, once they are what was written."""
    found = session.read.format("binaryFile").load(place).select("content").collect()
    manifest = _manifest.parse(b"".join(bytes(text) for (text,) in found), _shown(place))
    if manifest is None:
        return []
    directory = place.removesuffix(_manifest.NAME)
    there = below(session, f"*{_manifest.SUFFIX}").format("binaryFile").load(directory)
    sums = {
        _apart(path)[1]: checksum
        for path, checksum in there.selectExpr("path", "sha2(content, 256)").collect()
    }
    files = [file for file in manifest.files if only in ("", file.path)]
    for file in files:
        _manifest.compare(_shown(f"{directory}{file.path}"), file, sums.get(file.path))
    return [f"{directory}{file.path}" for file in files]


def _shown(place: str) -> str:
    """A local path without what Spark puts before it."""
    return f"/{place.removeprefix('file:').lstrip('/')}" if place.startswith("file:") else place
