"""`vrnn generate`: new tracks."""

from pathlib import Path

import numpy as np

from vrnn.cli.outputs import check_outputs, save_tracks
from vrnn.cli.runs import Run
from vrnn.errors import ConfigError, Setting
from vrnn.inference.traits import reads_prefix
from vrnn.tasks.generate import generate as draw
from vrnn.trained import TrainedModel
from vrnn.training.resolve import resolve_model


def generate(
    *,
    model: Run,
    out: Path,
    count: int = 8,
    steps: int = 50,
    start: tuple[float, ...] = (),
    given: tuple[str, ...] = (),
    plot: Path | None = None,
    seed: int = 0,
) -> None:
    """Sample new tracks from a model.

    Args:
        model: run folder that vrnn train wrote.
        out: tracks to write, .csv, .parquet or .npz, in a form that every command reads.
        count: number of tracks.
        steps: time steps of each.
        start: first point of every track, for a model of displacements; the origin when empty.
        given: known inputs, the same at every time step, as COLUMN=VALUE: a number, or a kind of a
            column of text.
        plot: picture to write, .png, .pdf or .svg.
        seed: of all noise.
    """
    check_outputs(out, plot=plot, runs=[model])
    trained = resolve_model(str(model))
    names = trained.preprocessor.x_names
    if start and len(start) != len(names):
        raise ConfigError(
            setting="start", expected=f"one number for each of {', '.join(names)}", found=len(start)
        )
    tracks = draw(
        model=trained,
        count=count,
        steps=steps,
        seed=seed,
        start=np.array(start) if start else None,
        inputs=_inputs(trained, given),
    )
    save_tracks(tracks, out)
    print(f"{out}: {count} tracks of {steps} time steps")
    if plot is not None:
        from vrnn.plots import plot_tracks

        plot_tracks(tracks.x, plot, names=tracks.x_names)
        print(f"{plot}: picture of them")


def _inputs(trained: TrainedModel, given: tuple[str, ...]) -> dict[str, str] | None:
    """Return the known inputs that were given, by their columns."""
    names = trained.preprocessor.u_names
    if given and not names:
        raise ConfigError(
            "the model has no known inputs", hint=("leave out ", Setting("given", given))
        )
    inputs = dict(pair(word) for word in given)
    if not names or inputs or trained.network.supervised or reads_prefix(trained.network):
        return inputs or None
    bases = list(dict.fromkeys(name.partition("=")[0] for name in names))
    example = " ".join(f"{base}=..." for base in bases)
    raise ConfigError(
        f"the model has known inputs ({', '.join(bases)})",
        expected=("their values, as in ", Setting("given"), f" {example}"),
        found="none",
        hint="in Python vrnn.generate takes inputs that change along a track",
    )


def pair(word: str) -> tuple[str, str]:
    """Split COLUMN=VALUE.

    >>> pair("letter=a")
    ('letter', 'a')
    """
    name, mark, value = word.rpartition("=")
    if not (name and mark and value):
        raise ConfigError(setting="given", expected="COLUMN=VALUE", found=repr(word))
    return name, value
