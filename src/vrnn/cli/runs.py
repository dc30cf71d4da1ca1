"""The run that a command is given, with the columns that its data had."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from vrnn.cli.data import ColumnFlags, read, read_regular
from vrnn.console import say
from vrnn.data.io import Columns
from vrnn.data.tracks import Tracks
from vrnn.files import write_json
from vrnn.tasks.unlike_training import unlike_training
from vrnn.trained import TrainedModel
from vrnn.training.resolve import resolve_model
from vrnn.training.run_folder import load, read_config, read_settings
from vrnn.training.shipped import is_shipped

Run = Annotated[Path, Parameter(metavar="RUN")]
"""The flag `--model RUN`."""

Json = Annotated[bool, Parameter(name="--json")]
"""The flag `--json`."""


def open_run(
    run: Path | None, data: Path, flags: ColumnFlags, *, regular: bool = False, last: bool = False
) -> tuple[TrainedModel, Tracks]:
    """Load a run and read the data that it is to work on, and say where that is far from the training.

    Without a run it is the model that needs no training, fitted to the data.

    Args:
        run: the run folder, the name of a model, or None.
        data: the file or folder of tracks.
        flags: the columns of the data.
        regular: bring the tracks to one row for each time step, unless the model reads the time between rows.
        last: keep what follows the last long gap of each track alone.

    Raises:
        RunFolderError, DataError: which of the two cannot be used, and why.
    """
    if run is None or is_shipped(run):
        tracks = read_regular(data, flags, last=last) if regular else read(data, flags)
        return resolve_model(None if run is None else str(run), tracks), tracks
    model = load(run)
    columns = trained_columns(run, model)
    if regular and not model.preprocessor.time_input:
        step = model.preprocessor.step
        tracks = read_regular(data, flags, columns, last=last, step=step)
    else:
        tracks = read(data, flags, columns)
    for note in unlike_training(model, model.preprocessor.in_order(tracks), step=not last):
        say(f"note: {note}")
    return model, tracks


def trained_columns(run: Path | None, model: TrainedModel) -> Columns:
    """Return the names of the columns that a run was trained on, or fitted to."""
    named = Columns() if run is None or is_shipped(run) else read_settings(run).columns
    preprocessor = model.preprocessor
    return Columns(
        id=named.id,
        t=named.t,
        x=preprocessor.x_names,
        u=preprocessor.u_names,
        y=preprocessor.y_names,
    )


def remember_columns(run: Path, columns: Columns) -> None:
    """Add the columns to config.json, so that later commands need not be told again."""
    config = read_config(run)
    if config.get("columns") != (named := {k: asdict(columns)[k] for k in ("id", "t")}):
        write_json(run / "config.json", {**config, "columns": named})
