"""Tracks from a file, a folder or a DataFrame, in one call."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from vrnn.data.io.categories import name_categories
from vrnn.data.io.csv import DELIMITERS, read_csv
from vrnn.data.io.dataframe import table_from_dataframe
from vrnn.data.io.eth_ucy import read_eth_ucy
from vrnn.data.io.hurdat2 import HEADER, read_hurdat2
from vrnn.data.io.npz import read_npz
from vrnn.data.io.parquet import read_parquet
from vrnn.data.io.piano_roll import read_notes
from vrnn.data.io.table import Columns, Table
from vrnn.data.io.text_file import read_text
from vrnn.data.io.tracks_from_table import tracks_from_table
from vrnn.data.io.trajnet import read_trajnet
from vrnn.data.tracks import Tracks, concatenate
from vrnn.errors import ConfigError, DataError, Setting, Text

Format = Literal["auto", "columns", "piano-roll"]
FORMATS = (
    ".csv, .tsv, .txt (ETH/UCY, HURDAT2 or with a header), .ndjson (TrajNet++), .json (notes), "
    ".npz, .parquet"
)
TEXT = (".csv", ".tsv", ".txt")
ROLLS = (".json", ".npz")
READERS: dict[str, Callable[[Path], Table]] = {
    ".ndjson": read_trajnet,
    ".parquet": read_parquet,
    ".npz": read_npz,
}


def read_tracks(
    source: object, columns: Columns | None = None, *, group: str = "", format: Format = "auto"
) -> Tracks:
    r"""Return the tracks of a file, a folder of files, or a DataFrame.

    The extension names the format, and for text the first line does:

    - four bare numbers are ETH/UCY;
    - the header of a storm is HURDAT2;
    - anything else is a table with a header.

    JSON holds lists of notes. In a folder, every file with a known extension is read, in order of
    name, and its ids begin with `stem/`. Sub-folders, hidden files and JSON are skipped. With
    `format="piano-roll"` the JSON and NPZ files of a folder are read, and no others.

    Args:
        source: a path (str or Path), or a DataFrame of any library that narwhals knows.
        columns: which columns hold what; by default id, t and the usual observations of the
            format.
        group: the set to take from an NPZ archive or a JSON file that holds several.
        format: what the numbers of an NPZ archive are: "columns", or "piano-roll" for 88 keys
            packed into bits. "auto" refuses bytes that may be either.

    Raises:
        ConfigError: no such format.
        DataError: names the file, the line and the reason.
        MissingExtraError: Parquet or a DataFrame without the extra `frames`.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "walks.csv"
    >>> _ = path.write_text("id,t,x,y\nanna,0,1,2\nbob,0,5,6\nanna,1,1.5,\n")
    >>> tracks = read_tracks(path)
    >>> tracks.ids, tracks.x[0]
    (['anna', 'bob'], array([[1. , 2. ], [1.5, nan]]))
    """
    if format not in get_args(Format):
        raise ConfigError(
            setting="format", expected=f"one of {', '.join(get_args(Format))}", found=repr(format)
        )
    if not isinstance(source, str | Path):
        return tracks_from_table(table_from_dataframe(source), columns)
    path = Path(source).expanduser()
    if not path.exists():
        where = path.parent if not path.parent.exists() else path
        raise DataError(
            f"{path}: expected a file or folder of tracks, but {where} does not exist; "
            "is the path right?"
        )
    if not path.is_dir():
        return tracks_from_table(read_table(path, group, format), columns)
    return _read_folder(path, columns, group, format)


def read_table(path: Path, group: str = "", format: Format = "auto") -> Table:
    """Return all columns of one file, whose extension and first line name the format.

    Args:
        path: the file.
        group: the set to take from an NPZ archive or a JSON file that holds several.
        format: what the numbers of an NPZ archive are, see `read_tracks`.

    Raises:
        DataError: names the file, the line and the reason.
        MissingExtraError: Parquet without the extra `frames`.
    """
    kind = path.suffix.lower()
    if format == "piano-roll" and kind not in ROLLS:
        raise DataError(
            f"{path}: expected a piano roll in {' or '.join(ROLLS)}, "
            f"found the extension {path.suffix or '(none)'!r}; "
            "a table is read without that format"
        )
    if kind == ".npz":
        return read_npz(path, group, format)
    if kind == ".json":
        return read_notes(path, group)
    if kind in READERS:
        return READERS[kind](path)
    if kind not in TEXT:
        raise DataError(
            f"{path}: expected one of {FORMATS}, "
            f"found the extension {path.suffix or '(none)'!r}; "
            "rename the file, or read it into a DataFrame and pass that"
        )
    return _text_reader(path)(path)


def _text_reader(path: Path) -> Callable[[Path], Table]:
    """Return the reader that the first line of a text file asks for."""
    first = next(line for line in read_text(path).splitlines() if line.strip())
    if HEADER.match(first):
        return read_hurdat2
    if path.suffix.lower() != ".txt":
        return read_csv
    if re.fullmatch(r"\s*[-+.\deE]+(\s+([-+.\deE]+|nan))*\s*", first):
        return read_eth_ucy
    if any(mark in first for mark in DELIMITERS):
        return read_csv
    raise DataError(
        f"{path}: expected four numbers a line (ETH/UCY: frame ped x y), HURDAT2, or a header "
        f"such as id,t,x,y, found {first[:40]!r}; "
        "if the file holds no tracks, move it out of the folder"
    )


def track_files(folder: Path, format: Format = "auto") -> list[Path]:
    """Return the files of a folder that hold tracks, in order of name.

    JSON counts with "piano-roll" alone, because beside other files it is usually something else.

    Raises:
        DataError: there are none.
    """
    known = ROLLS if format == "piano-roll" else (*TEXT, *READERS)
    seen = sorted(p for p in folder.iterdir() if p.is_file() and p.name[0] != ".")
    files = [p for p in seen if p.suffix.lower() in known]
    if not files:
        inner = sorted(p.name for p in folder.iterdir() if p.is_dir())
        hint: Text = (
            f"sub-folders are not searched, so name one of {', '.join(inner[:5])}" if inner else ""
        )
        if any(p.suffix.lower() == ".json" for p in seen):
            hint = ("for notes in .json ask for them: ", Setting("format", "piano-roll"))
        raise DataError(
            where=folder, expected=f"files of tracks ({FORMATS})", found="none", hint=hint
        )
    return files


def _read_folder(folder: Path, columns: Columns | None, group: str, format: Format) -> Tracks:
    """Return the tracks of all files of a folder, which share their categories."""
    files = track_files(folder, format)
    stems = Counter(path.stem for path in files)
    tables = [read_table(path, group, format) for path in files]
    columns = name_categories(tables, columns or Columns()) if tables else columns
    parts = []
    for path, table in zip(files, tables, strict=True):
        prefix = path.stem if stems[path.stem] == 1 else path.name
        part = tracks_from_table(table, columns)
        parts.append(part.rename([f"{prefix}/{track}" for track in part.ids]))
    try:
        return concatenate(parts)
    except DataError as error:
        raise DataError(("the files do not fit together: ", error), where=folder) from error
