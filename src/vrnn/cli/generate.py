"""`vrnn generate`: new tracks."""

from pathlib import Path

import numpy as np
from tyro.conf import Positional

from vrnn.cli.outputs import check_outputs, save_tracks
from vrnn.errors import ConfigError
from vrnn.tasks.generate import generate as draw
from vrnn.training.checkpoint import load


def generate(
    run: Positional[Path],
    *,
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
        run: run folder that vrnn train wrote.
        out: tracks to write, .csv, .parquet or .npz, in a form that every command reads.
        count: tracks.
        steps: rows of each.
        start: first point of every track, for a model of displacements; the origin when empty.
        given: known inputs, the same in every row, as COLUMN=VALUE: a number, or a kind of a column of text.
        plot: picture to write, .png, .pdf or .svg.
        seed: of all noise.
    """
    check_outputs(out, plot)
    model = load(run.expanduser())
    names = model.preprocessor.x_names
    if start and len(start) != len(names):
        raise ConfigError(
            f"expected start with one number for each of {', '.join(names)}, found {len(start)}"
        )
    inputs = dict(pair(word) for word in given)
    if (
        model.preprocessor.u_names
        and not inputs
        and not model.network.supervised
        and not model.network.conditions
    ):
        bases = dict.fromkeys(name.partition("=")[0] for name in model.preprocessor.u_names)
        raise ConfigError(
            f"the model has known inputs ({', '.join(bases)}): say what they are, as in --given {' '.join(f'{b}=...' for b in bases)}; inputs "
            f"that change along a track go to vrnn.generate(model, inputs=...) in Python"
        )
    if inputs and not model.preprocessor.u_names:
        raise ConfigError(f"the model has no known inputs: leave out --given {' '.join(given)}")
    tracks = draw(
        model, count, steps, seed, start=np.array(start) if start else None, inputs=inputs or None
    )
    save_tracks(tracks, out)
    print(f"{out}: {count} tracks of {steps} rows")
    if plot is not None:
        from vrnn.plots import plot_tracks

        plot_tracks(tracks.x, plot, names=tracks.x_names)
        print(f"{plot}: picture of them")


def pair(word: str) -> tuple[str, str]:
    """Split COLUMN=VALUE.

    >>> pair("letter=a")
    ('letter', 'a')
    """
    name, mark, value = word.rpartition("=")
    if not (name and mark and value):
        raise ConfigError(f"--given: expected COLUMN=VALUE, found {word!r}")
    return name, value
