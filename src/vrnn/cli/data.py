"""The data that a command is given: which columns hold what, by flags, a run or the format."""

import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from vrnn.console import say
from vrnn.data.io import Columns
from vrnn.data.io.categories import source_column
from vrnn.data.io.read import Format, read_files
from vrnn.data.io.table import Table
from vrnn.data.io.tracks_from_table import Duplicates
from vrnn.data.tidy import tidy
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
        t: time, a number or a date; None: rows are counted 0, 1, 2, ... in each track.
        x: observations.
        u: known inputs, such as a speed over ground or, as text, a kind of vessel.
        y: supervised targets.
        names: names of all columns of text without a header, split by commas.
        sort: sort the rows of each track by time; else refuse rows out of order.
        duplicates: rows that repeat an id and a time: keep the first, their mean, or error; auto
            keeps the first where such rows are few.
        group: the set to take from an NPZ archive or a JSON file that holds several.
        format: what an NPZ archive holds, columns or 88 keys packed into bits; auto refuses bytes
            that may be either.
    """

    id: Annotated[str | None, _shown("recognised", "COLUMN")] = ""
    t: Annotated[str | None, _shown("recognised", "COLUMN")] = ""
    x: Annotated[
        tuple[str, ...], _shown("recognised, in NPZ and JSON of notes all", "COLUMN ...")
    ] = ()
    u: Annotated[tuple[str, ...], _shown("none", "COLUMN ...")] = ()
    y: Annotated[tuple[str, ...], _shown("none", "COLUMN ...")] = ()
    names: Annotated[
        str, Parameter(name="--columns", show_default=lambda _: "the header", metavar="NAME,...")
    ] = ""
    sort: bool = True
    duplicates: Duplicates = "auto"
    group: Annotated[str, _shown("the only one", "NAME")] = ""
    format: Format = "auto"

    def columns(self) -> Columns:
        """Return the mapping of the flags alone."""
        return Columns(
            id=self.id,
            t=self.t,
            x=self.x,
            u=self.u,
            y=self.y,
            names=tuple(name.strip() for name in self.names.split(",")) if self.names else (),
        )

    @property
    def reading(self) -> dict[str, Any]:
        """The settings of `read_tracks` beside the columns."""
        return {
            "group": self.group,
            "format": self.format,
            "sort": self.sort,
            "duplicates": self.duplicates,
        }

    def words(self) -> str:
        """Return the flags that a run does not remember, as they stand in a command after DATA.

        >>> ColumnFlags(x=("lon", "lat"), group="test", format="piano-roll").words()
        ' --group test --format piano-roll'
        """
        given = {"group": self.group, "format": self.format if self.format != "auto" else ""}
        return "".join(f" --{name} {shlex.quote(value)}" for name, value in given.items() if value)

    def all_words(self) -> str:
        """Return the flags of the columns as they stand in a command after DATA.

        >>> ColumnFlags(id="mmsi", x=("lon", "the lat"), names="a,b").all_words()
        " --id mmsi --x lon 'the lat' --columns a,b"
        """
        words = []
        for name in ("id", "t", "x", "u", "y"):
            value = getattr(self, name)
            if value not in ("", ()):
                values = (value,) if isinstance(value, str | None) else value
                words += [f"--{name}", *(shlex.quote(str(v)) for v in values)]
        words += ["--columns", shlex.quote(self.names)] if self.names else []
        words += [] if self.sort else ["--no-sort"]
        words += ["--duplicates", self.duplicates] if self.duplicates != "auto" else []
        return "".join(f" {word}" for word in words) + self.words()

    def beside(self, trained: Columns, found: set[str]) -> Columns:
        """Return the mapping of the flags, completed by that of a run where its names are found.

        >>> mmsi = Columns(id="mmsi", t="time", x=("lon", "lat"))
        >>> ColumnFlags(t="when").beside(mmsi, {"mmsi", "when", "lon", "lat"})
        Columns(id='mmsi', t='when', x=('lon', 'lat'), u=(), y=(), names=())
        """
        given = asdict(self.columns())
        for role, flag in ((name, getattr(self, name)) for name in ("id", "t", "x", "u", "y")):
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
    columns = flags.columns()

    def choose(tables: list[Table]) -> Columns:
        return columns if trained is None else flags.beside(trained, set(tables[0].columns))

    named = (columns.id, None if trained is None else trained.id)
    ids = tuple(name for name in named if name)
    tracks = read_files(path, choose, names=columns.names, ids=ids, **flags.reading)
    for note in tracks.origin.notes:
        say(f"note: {note}")
    return tracks


def read_regular(
    path: Path,
    flags: ColumnFlags,
    trained: Columns | None = None,
    *,
    last: bool = False,
    step: float | None = None,
) -> Tracks:
    """Read DATA with one row for each time step, see `vrnn.tidy`, and say what was done.

    Args:
        path: the file or the folder.
        flags: those that were given.
        trained: columns of the run that the data is for.
        last: keep what follows the last long gap of each track alone.
        step: the time step of the training, for irregular times.
    """
    tracks, notes = tidy(read(path, flags, trained), last=last, step=step)
    for note in notes:
        say(f"note: {note}")
    return tracks
