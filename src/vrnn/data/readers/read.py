"""One call from a file, a folder or a DataFrame to Tracks."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from vrnn.data.readers.delimited import DELIMITERS, read_delimited
from vrnn.data.readers.eth_ucy import read_eth_ucy
from vrnn.data.readers.frames import read_parquet, table_from_frame
from vrnn.data.readers.grouping import tracks_from_table
from vrnn.data.readers.hurdat2 import HEADER, read_hurdat2
from vrnn.data.readers.npz import read_npz
from vrnn.data.readers.table import Columns, Table
from vrnn.data.readers.text import read_text
from vrnn.data.readers.trajnet import read_trajnet
from vrnn.data.tracks import Tracks, concatenate
from vrnn.errors import DataError

FORMATS = ".csv, .tsv, .txt (ETH/UCY, HURDAT2 or with a header), .ndjson (TrajNet++), .npz, .parquet"
TEXT = (".csv", ".tsv", ".txt")
READERS: dict[str, Callable[[Path], Table]] = {
    ".ndjson": read_trajnet,
    ".parquet": read_parquet,
    ".npz": read_npz,
}


def read_tracks(source: object, columns: Columns | None = None, *, group: str = "") -> Tracks:
    r"""Read tracks from a file, a folder of files, or a DataFrame.

    The format follows from the extension, and for text from the first line: four bare numbers are ETH/UCY, a
    storm's header is HURDAT2, anything else is a table with a header. Of a folder, every file with a known
    extension is read, in order of name, and `stem/` comes before its ids; sub-folders and hidden files are
    passed over.

    Args:
        source: a path (str or Path), or a DataFrame of any library that narwhals knows.
        columns: which columns hold what; by default id, t and the format's usual observations.
        group: the set to take from an NPZ archive that holds several.

    Raises:
        DataError: names the file, the line and the reason.
        MissingExtraError: Parquet or a DataFrame without the extra `frames`.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "walks.csv"
    >>> _ = path.write_text("id,t,x,y\nanna,0,1,2\nbob,0,5,6\nanna,1,1.5,\n")
    >>> tracks = read_tracks(path)
    >>> tracks.ids, tracks.x[0]
    (['anna', 'bob'], array([[1. , 2. ], [1.5, nan]]))
    """
    if not isinstance(source, str | Path):
        return tracks_from_table(table_from_frame(source), columns)
    path = Path(source).expanduser()
    if not path.exists():
        where = path.parent if not path.parent.exists() else path
        raise DataError(
            f"{path}: expected a file or folder of tracks, but {where} does not exist; is the path right?"
        )
    if not path.is_dir():
        return tracks_from_table(read_table(path, group), columns)
    return _read_folder(path, columns, group)


def read_table(path: Path, group: str = "") -> Table:
    """Read one file, by extension and first line, with all its columns."""
    kind = path.suffix.lower()
    if kind == ".npz":
        return read_npz(path, group)
    if kind in READERS:
        return READERS[kind](path)
    if kind not in TEXT:
        raise DataError(
            f"{path}: expected one of {FORMATS}, found the extension {path.suffix or '(none)'!r}; "
            "rename the file, or read it into a DataFrame and pass that"
        )
    return _text_reader(path)(path)


def _text_reader(path: Path) -> Callable[[Path], Table]:
    first = next(line for line in read_text(path).splitlines() if line.strip())
    if HEADER.match(first):
        return read_hurdat2
    if path.suffix.lower() != ".txt":
        return read_delimited
    if re.fullmatch(r"\s*[-+.\deE]+(\s+([-+.\deE]+|nan))*\s*", first):
        return read_eth_ucy
    if any(mark in first for mark in DELIMITERS):
        return read_delimited
    raise DataError(
        f"{path}: expected four numbers a line (ETH/UCY: frame ped x y), HURDAT2, or a header such as "
        f"id,t,x,y, found {first[:40]!r}; if the file holds no tracks, move it out of the folder"
    )


def _read_folder(folder: Path, columns: Columns | None, group: str) -> Tracks:
    known = (*TEXT, *READERS)
    files = sorted(
        p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in known and p.name[0] != "."
    )
    if not files:
        inner = sorted(p.name for p in folder.iterdir() if p.is_dir())
        hint = f"; sub-folders are not searched, so name one of {', '.join(inner[:5])}" if inner else ""
        raise DataError(f"{folder}: expected files of tracks ({FORMATS}), found none{hint}")
    stems = Counter(path.stem for path in files)
    parts = []
    for path in files:
        prefix = path.stem if stems[path.stem] == 1 else path.name
        part = tracks_from_table(read_table(path, group), columns)
        parts.append(part.rename([f"{prefix}/{track}" for track in part.ids]))
    try:
        return concatenate(parts)
    except DataError as error:
        raise DataError(f"{folder}: the files do not fit together: {error}") from error
