"""`vrnn encode`: the table of means and scales of every latent dimension."""

from pathlib import Path

from tyro.conf import Positional

from vrnn.cli.data import ColumnFlags
from vrnn.cli.outputs import check_outputs
from vrnn.cli.runs import open_run
from vrnn.tasks.encode import encode as read_codes


def encode(
    run: Positional[Path],
    data: Positional[Path],
    *,
    out: Path,
    seed: int = 0,
    columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
) -> None:
    """Encode tracks: mean and scale of each latent dimension, a row a track (rollout) or a row a point (all others).

    Args:
        run: run folder that vrnn train wrote.
        data: tracks, a file or a folder of files.
        out: table to write, .csv, .parquet or .npz: id, step (where codes are by point), mean0.., scale0.. .
        seed: of the sampled past.
        columns: of the data.
    """
    check_outputs(out)
    model, tracks = open_run(run, data, columns)
    codes = read_codes(model, tracks, seed)
    codes.save(out)
    print(f"{out}: codes of {len(codes.ids)} tracks")
