"""The data that a command is given: which columns hold what, by flags, a run or the format."""

import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from vrnn.data.io import Columns, read_tracks
from vrnn.data.io.categories import source_column
from vrnn.data.io.read import Format, read_table, track_files
from vrnn.data.io.tracks_from_table import tracks_from_table
from vrnn.data.tracks import Tracks


def _shown(default: str, metavar: str) -> Any:
    """Say what a flag takes, and what it is where it is not given."""
    return Parameter(show_default=lambda _: default, metavar=metavar)


GroupName = Annotated[str, _shown("that of DATA", "NAME")]


@dataclass(frozen=True)
class ColumnFlags:
    """The columns of DATA. With a run, the columns that it was trained on are the default.

    Args:
        id: the track that a row belongs to; None: the whole table is one track.
        t: time, a number or an ISO 8601 date; None: rows are counted 0, 1, 2, ... in each track.
        x: observations.
        u: known inputs, such as a speed over ground or, as text, a kind of vessel.
        y: supervised targets.
        group: the set to take from an NPZ archive or a JSON file that holds several.
        format: what an NPZ archive holds, columns or 88 keys packed into bits; auto refuses bytes
            that may be either.
    """

    id: Annotated[str | None, _shown("id", "COLUMN")] = ""
    t: Annotated[str | None, _shown("t", "COLUMN")] = ""
    x: Annotated[
        tuple[str, ...], _shown("x y, in HURDAT2 lat lon, in NPZ and JSON all", "COLUMN ...")
    ] = ()
    u: Annotated[tuple[str, ...], _shown("none", "COLUMN ...")] = ()
    y: Annotated[tuple[str, ...], _shown("none", "COLUMN ...")] = ()
    group: Annotated[str, _shown("the only one", "NAME")] = ""
    format: Format = "auto"

    def columns(self) -> Columns:
        """Return the mapping of the flags alone."""
        return Columns(
            id="id" if self.id == "" else self.id,
            t="t" if self.t == "" else self.t,
            x=self.x,
            u=self.u,
            y=self.y,
        )

    def words(self) -> str:
        """Return the flags that a run does not remember, as they stand in a command after DATA.

        >>> ColumnFlags(x=("lon", "lat"), group="test", format="piano-roll").words()
        ' --group test --format piano-roll'
        """
        given = {"group": self.group, "format": self.format if self.format != "auto" else ""}
        return "".join(f" --{name} {shlex.quote(value)}" for name, value in given.items() if value)

    def beside(self, trained: Columns, found: set[str]) -> Columns:
        """Return the mapping of the flags, completed by that of a run where its names are found.

        >>> mmsi = Columns(id="mmsi", t="time", x=("lon", "lat"))
        >>> ColumnFlags(t="when").beside(mmsi, {"mmsi", "when", "lon", "lat"})
        Columns(id='mmsi', t='when', x=('lon', 'lat'), u=(), y=())
        """
        given = asdict(self.columns())
        for role, flag in ((name, getattr(self, name)) for name in given):
            names = getattr(trained, role)
            listed = (names,) if isinstance(names, str) else names or ()
            bases = {name if role in ("id", "t") else source_column(name, found) for name in listed}
            if flag in ("", ()) and bases <= found:
                given[role] = names
        return Columns(**given)


def read(path: Path, flags: ColumnFlags, trained: Columns | None = None) -> Tracks:
    """Read DATA, a file or a folder.

    Args:
        path: the file or the folder.
        flags: those that were given.
        trained: columns of the run that the data is for. Names that the file has are taken where
            no flag says otherwise.

    Raises:
        DataError: names the file, the line and the reason.
    """
    if trained is None or not path.exists():
        return read_tracks(path, flags.columns(), group=flags.group, format=flags.format)
    first = path if path.is_file() else track_files(path, flags.format)[0]
    table = read_table(first, flags.group, flags.format)
    columns = flags.beside(trained, set(table.columns))
    if path.is_file():
        return tracks_from_table(table, columns)
    return read_tracks(path, columns, group=flags.group, format=flags.format)
