"""`vrnn encode`: the table of what a model knows of its latents given the data."""

from pathlib import Path

from vrnn.cli.data import ColumnFlags
from vrnn.cli.outputs import check_outputs
from vrnn.cli.runs import Run, open_run
from vrnn.tasks.encode import encode as read_latents


def encode(
    data: Path,
    /,
    *,
    model: Run | None = None,
    out: Path,
    seed: int = 0,
    columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
) -> None:
    """Encode tracks: write what the model knows of its latents given the data.

    That is the mean and the scale of each Gaussian dimension, and the probability of each category.
    A rollout model gives one row for each track. All other models give one row for each point.

    Args:
        data: tracks, a file or a folder of files.
        model: run folder that vrnn train wrote; None is the model that needs no training.
        out: table to write, .csv, .parquet or .npz: id, step (of a point), mean0, ..., scale0,
            ..., and probability0, ... of categories.
        seed: of the sampled past.
        columns: of the data.
    """
    check_outputs(out, data=[data], runs=[model])
    trained, tracks = open_run(model, data, columns)
    codes = read_latents(tracks, model=trained, seed=seed)
    codes.save(out)
    print(f"{out}: codes of {len(codes.ids)} tracks")
