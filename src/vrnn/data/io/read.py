"""Tracks from a file, a folder or a DataFrame, in one call."""

import glob as globbing
import json
import re
import shlex
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

from vrnn.data.io.categories import name_categories
from vrnn.data.io.compressed import ENDINGS, STDIN, kind_of, read_bytes, renamed
from vrnn.data.io.csv import read_csv
from vrnn.data.io.dataframe import table_from_dataframe
from vrnn.data.io.dialect import HEAD, whole_lines
from vrnn.data.io.eth_ucy import read_eth_ucy
from vrnn.data.io.geojson import is_geojson, read_geojson
from vrnn.data.io.geolife import read_geolife
from vrnn.data.io.gpx import read_gpx, read_kml
from vrnn.data.io.hurdat2 import HEADER, read_hurdat2
from vrnn.data.io.npz import read_npz
from vrnn.data.io.parquet import read_feather, read_parquet
from vrnn.data.io.parse_cells import Column
from vrnn.data.io.parse_times import month_first
from vrnn.data.io.piano_roll import read_notes
from vrnn.data.io.recognise import may_be_recording
from vrnn.data.io.reshape import join_dates
from vrnn.data.io.roles import choose_roles
from vrnn.data.io.table import Columns, Table
from vrnn.data.io.text_file import UTF_16, decode, read_text
from vrnn.data.io.tracks_from_table import Duplicates, tracks_from_table
from vrnn.data.io.trajnet import read_trajnet
from vrnn.data.tracks import Tracks, concatenate
from vrnn.errors import ConfigError, DataError, Function, Setting, Text, joined

Format = Literal["auto", "columns", "piano-roll"]
TEXT = (".csv", ".tsv", ".txt", ".dat", ".tab", ".psv")
ROLLS = (".json", ".npz")
LOOK = 1000
"""Files in sub-folders that show which ending a message is to name."""
MARKS = {b"PAR1": ".parquet", b"ARROW1": ".feather", b'{"type"': ".geojson"}
"""First bytes of formats that are no delimited text."""
READERS: dict[str, Callable[[Path], Table]] = {
    ".ndjson": read_trajnet,
    ".parquet": read_parquet,
    ".geoparquet": read_parquet,
    ".feather": read_feather,
    ".arrow": read_feather,
    ".gpx": read_gpx,
    ".kml": read_kml,
    ".geojson": read_geojson,
    ".plt": read_geolife,
    ".npz": read_npz,
}
FORMATS = f"{', '.join((*TEXT, *READERS))}, .json (notes or GeoJSON)"


def read_tracks(
    source: object,
    columns: Columns | None = None,
    *,
    group: str = "",
    format: Format = "auto",
    sort: bool = True,
    duplicates: Duplicates = "auto",
) -> Tracks:
    r"""Return the tracks of a file, a folder of files, or a DataFrame.

    The ending names the format, also before .gz, .bz2, .xz, .zst or .zip. For text the first lines
    do:

    - four bare numbers split by blanks are ETH/UCY;
    - the header of a storm is HURDAT2;
    - anything else is delimited text, see `Columns` for a file without a header.

    The id, the time and the positions are recognised by the names that common tools write. What was
    chosen, mended or left out stands in `tracks.origin.notes`.

    In a folder, every file with a known ending is read, in order of name. Its ids begin with
    `stem/`, and a file without ids is one track named after it. Sub-folders, hidden files and JSON
    are skipped. With `format="piano-roll"` the JSON and NPZ files of a folder are read, and no
    others.

    Args:
        source: a path (str or Path), a pattern such as "day*.csv", "-" for standard input, or a
            DataFrame of any library that narwhals knows.
        columns: which columns hold what; recognised where they are not named.
        group: the set to take from an NPZ archive or a JSON file that holds several.
        format: what the numbers of an NPZ archive are: "columns", or "piano-roll" for 88 keys
            packed into bits. "auto" refuses bytes that may be either.
        sort: sort the rows of each track by time; else refuse rows out of order.
        duplicates: what becomes of rows that repeat an id and a time: keep the "first", their
            "mean", or "error". "auto" keeps the first where such rows are few.

    Raises:
        ConfigError: no such format.
        DataError: names the file, the line and the reason.
        MissingExtraError: a DataFrame without the extra `frames`.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "walks.csv"
    >>> _ = path.write_text("id,t,x,y\nanna,0,1,2\nbob,0,5,6\nanna,1,1.5,\n")
    >>> tracks = read_tracks(path)
    >>> tracks.ids, tracks.x[0]
    (['anna', 'bob'], array([[1. , 2. ], [1.5, nan]]))
    """
    for name, value, kind in (("format", format, Format), ("duplicates", duplicates, Duplicates)):
        if value not in get_args(kind):
            raise ConfigError(
                setting=name, expected=f"one of {', '.join(get_args(kind))}", found=repr(value)
            )
    given = columns or Columns()
    if not isinstance(source, str | Path):
        table = table_from_dataframe(source)
        return tracks_from_table(table, given, sort=sort, duplicates=duplicates)
    return read_files(
        Path(source),
        lambda _: given,
        names=given.names,
        ids=(given.id,) if given.id else (),
        group=group,
        format=format,
        sort=sort,
        duplicates=duplicates,
    )


def read_files(
    path: Path,
    choose: Callable[[list[Table]], Columns],
    *,
    names: tuple[str, ...] = (),
    ids: tuple[str, ...] = (),
    group: str = "",
    format: Format = "auto",
    sort: bool = True,
    duplicates: Duplicates = "auto",
) -> Tracks:
    """Return the tracks of a path, once its tables have shown which columns they have.

    Args:
        path: a file, a folder, a pattern, or "-" for standard input.
        choose: returns the columns for the tables that were read.
        names: names of the columns of text without a header.
        ids: columns that may be chosen as ids, and are kept as they are written.
        group, format, sort, duplicates: see `read_tracks`.

    Raises:
        DataError: names the file, the line and the reason.
    """
    path = path.expanduser()
    files = files_of(path, format)
    tables = [read_table(file, group, format, names, ids) for file in files]
    columns = choose(tables)
    if files == [path]:
        return tracks_from_table(tables[0], columns, sort=sort, duplicates=duplicates)
    columns = _shared_columns(tables, columns)
    # one file may hold a single day, so the order of day and month is decided over all
    order = month_first(_date_columns(tables, columns.t))
    stems = Counter(file.stem for file in files)
    parts = []
    for file, table in zip(files, tables, strict=True):
        prefix = file.stem if stems[file.stem] == 1 else str(file.relative_to(_base(files)))
        part = tracks_from_table(
            table, columns, sort=sort, duplicates=duplicates, month_first=order
        )
        notes = tuple(f"{file.name}: {note}" for note in part.origin.notes)
        part = replace(part, origin=replace(part.origin, notes=notes))
        alone = columns.id is None and len(part) == 1
        parts.append(part.rename([prefix if alone else f"{prefix}/{track}" for track in part.ids]))
    wrapped = [p.origin.clock for p in parts if p.origin.clock.kind == "time of day"]
    if wrapped:  # where one file passes midnight, all times are of a day
        parts = [replace(p, origin=replace(p.origin, clock=wrapped[0])) for p in parts]
    try:
        return concatenate(parts)
    except DataError as error:
        raise DataError(("the files do not fit together: ", error), where=path) from error


def _date_columns(tables: list[Table], name: str | None) -> list[Column]:
    """Return the columns of times, also where date and time of day stand in two."""
    if name is None:
        return []
    found = []
    for table in tables:
        joined, both = join_dates(table) if name == "" else (table, "")
        if (both or name) in joined.columns:
            found.append(joined.columns[both or name])
    return found


def files_of(path: Path, format: Format = "auto") -> list[Path]:
    """Return the files that a path stands for: itself, those of a folder, or those of a pattern.

    Raises:
        DataError: there are none.
    """
    if str(path) == STDIN:
        return [path]
    if path.is_dir():
        return track_files(path, format)
    if path.exists():
        return [path]
    if any(mark in str(path) for mark in "*?["):
        found = (Path(name) for name in globbing.glob(str(path), recursive=True))
        files = sorted(file for file in found if file.is_file())
        if not files:
            raise DataError(
                f"{path}: no file matches this pattern; are its folder and its ending right?"
            )
        return files
    where = path.parent if not path.parent.exists() else path
    raise DataError(
        f"{path}: expected a file or folder of tracks, but {where} does not exist; "
        "is the path right?"
    )


def read_table(
    path: Path,
    group: str = "",
    format: Format = "auto",
    names: tuple[str, ...] = (),
    ids: tuple[str, ...] = (),
) -> Table:
    """Return all columns of one file, whose ending and first lines name the format.

    Args:
        path: the file, or "-" for standard input.
        group: the set to take from an NPZ archive or a JSON file that holds several.
        format: what the numbers of an NPZ archive are, see `read_tracks`.
        names: names of the columns of text without a header.
        ids: columns of text that are kept as they are written.

    Raises:
        DataError: names the file, the line and the reason.
    """
    kind = kind_of(path)
    if format == "piano-roll" and kind not in ROLLS:
        raise DataError(
            where=path,
            expected=f"a piano roll in {' or '.join(ROLLS)}",
            found=f"the extension {path.suffix or '(none)'!r}",
            hint=("a table is read without ", Setting("format", "piano-roll")),
        )
    if kind == ".npz":
        return read_npz(path, group, format)
    if kind == ".json":
        return _json_reader(path)(path, group)
    if kind in READERS:
        return READERS[kind](path)
    if kind in (*TEXT, ""):
        return _read_text(path, kind, names, ids)
    raise DataError(
        where=path,
        expected=f"one of {FORMATS}",
        found=f"the extension {path.suffix or '(none)'!r}",
        hint=(
            f"if it is delimited text, rename it to {renamed(path, '.csv')}; ",
            *("else read it into a DataFrame, and give that to ", Function("read_tracks")),
        ),
    )


def _read_text(path: Path, kind: str, names: tuple[str, ...], ids: tuple[str, ...]) -> Table:
    """Return the table of a file of text in the format that its first lines show.

    Raises:
        DataError: the first bytes of a format with an ending of its own.
    """
    if str(path) == STDIN:
        return read_csv(path, names, ids)
    head = _head(path)
    ending = next((end for mark, end in MARKS.items() if head.lstrip().startswith(mark)), None)
    if ending is not None and not kind and path.suffix.lower() in ENDINGS:  # as walks.zip
        return READERS[ending](path)
    if ending is not None:
        raise DataError(
            where=path,
            expected="text",
            found=f"the first bytes of a file that ends in {ending}",
            hint=f"rename it to {renamed(path, ending)}",
        )
    text = decode(path, head)
    first = next((line for line in text.splitlines() if line.strip()), "")
    if first.lstrip().startswith("<"):
        return (read_kml if "<kml" in text[:1000] else read_gpx)(path)
    if HEADER.match(first):
        return read_hurdat2(path)
    bare = re.fullmatch(r"\s*[-+.\deE]+(\s+([-+.\deE]+|nan)){0,3}\s*", first)
    if kind == ".txt" and not names and bare:
        return read_eth_ucy(path)
    return read_csv(path, names, ids)


def _head(path: Path) -> bytes:
    """Return the whole lines at the beginning of a file."""
    if path.suffix.lower() in ENDINGS:
        return whole_lines(read_bytes(path))
    try:
        with path.open("rb") as file:
            start = file.read(HEAD + 1)
    except OSError:
        start = b""
    if not start.strip() or start[:2] in UTF_16:
        return read_bytes(path)  # which says what is wrong, or has no whole lines of bytes
    return whole_lines(start)


def _json_reader(path: Path) -> Callable[[Path, str], Table]:
    """Return the reader of a file of JSON: GeoJSON or notes."""
    try:
        geographic = is_geojson(json.loads(read_text(path)))
    except (ValueError, RecursionError):
        geographic = False
    return (lambda p, _: read_geojson(p)) if geographic else read_notes


def track_files(folder: Path, format: Format = "auto") -> list[Path]:
    """Return the files of a folder that hold tracks, in order of name.

    JSON counts with "piano-roll" alone, because beside other files it is usually something else.

    Raises:
        DataError: there are none.
    """
    known = ROLLS if format == "piano-roll" else (*TEXT, *READERS)
    seen = sorted(p for p in folder.iterdir() if p.is_file() and p.name[0] not in "._")
    files = [p for p in seen if kind_of(p) in known]
    if not files:
        ways: list[Text] = [_below(folder)]
        if format == "auto" and any(p.suffix.lower() == ".json" for p in seen):
            ways.append(("for notes in .json ask for them: ", Setting("format", "piano-roll")))
        raise DataError(
            where=folder,
            expected=f"files of tracks ({FORMATS})",
            found="none",
            hint=joined(filter(None, ways), "; "),
        )
    return files


def _below(folder: Path) -> str:
    """Return how files in sub-folders can be named; nothing where none may hold tracks."""
    known, files = (*TEXT, *READERS), []
    for path in sorted(islice(folder.rglob("*.*"), LOOK)):  # a home folder may hold millions
        inside = path.relative_to(folder).parts
        if path.is_file() and kind_of(path) in known and not any(p[0] in "._" for p in inside):
            files.append(path)
    if not files:
        return ""
    parents = [shlex.quote(str(p)) for p in dict.fromkeys(file.parent for file in files)]
    endings = Counter(
        "".join(file.suffixes[-1 - (file.suffix.lower() in ENDINGS) :]) for file in files
    )
    pattern = f"{globbing.escape(str(folder))}/**/*{endings.most_common(1)[0][0]}"
    return (
        f"sub-folders are not searched, so name one, such as {' or '.join(parents[:3])}, "
        f"or all files with {shlex.quote(pattern)}"
    )


def _base(files: list[Path]) -> Path:
    """Return the folder that all files are below."""
    shared = set.intersection(*({*path.parents} for path in files))
    return max(shared, key=lambda path: len(path.parts))


def _shared_columns(tables: list[Table], columns: Columns) -> Columns:
    """Return the columns of the first file, with the categories of all.

    Each file chooses its own where ids begin anew in the recordings of some alone.
    """
    first = tables[0]
    if not (first.usual.x and first.usual.id):
        chosen = choose_roles(first, columns).columns
        names = {chosen.id, chosen.t, *chosen.x} - {None}
        shared = all(names <= {*t.columns} for t in tables)
        recorded = [t for t in tables[1:] if _has_recordings(t)] if shared else []
        if shared and all(choose_roles(t, columns).columns.id == chosen.id for t in recorded):
            columns = replace(chosen, names=())
    return name_categories(tables, columns)


def _has_recordings(table: Table) -> bool:
    """Return whether a column may name the recording of each row."""
    return any(may_be_recording(name, column) for name, column in table.columns.items())
