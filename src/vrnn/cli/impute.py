"""`vrnn impute`: what missing points may have been."""

from pathlib import Path

import numpy as np

from vrnn.cli.data import ColumnFlags
from vrnn.cli.outputs import check_outputs
from vrnn.cli.runs import Run, open_run
from vrnn.data.describe.wording import plural
from vrnn.data.resample import regular
from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError
from vrnn.tasks.impute import impute as fill

FEW = 0.25  # share of paths that should differ at every missing point


def impute(
    data: Path,
    /,
    *,
    model: Run,
    out: Path,
    samples: int = 100,
    particles: int = 2000,
    sweeps: int = 0,
    interval: float = 0.9,
    calibrate: bool = False,
    insert_rows: bool = False,
    plot: Path | None = None,
    seed: int = 0,
    columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
) -> None:
    """Fill the missing points of tracks, given everything before and after them.

    Args:
        data: tracks, a file or a folder of files; an empty cell is a missing value.
        model: run folder that vrnn train wrote.
        out: table to write, .csv, .parquet or .npz: DATA filled by the mean, intervals, and
            imputed (0 or 1).
        samples: paths drawn through the gaps of each track.
        particles: of the particle filter that they are drawn from.
        sweeps: how often a conditional particle filter renews each path, for long tracks with many
            gaps.
        interval: share of the paths that the interval of a column holds.
        calibrate: hide seen points in gaps like the real ones, and widen or narrow the paths until
            the intervals hold their share of these points.
        insert_rows: put missing rows where times skip whole steps, and fill them too.
        plot: picture of the first tracks with gaps to write, .png, .pdf or .svg.
        seed: of all noise.
        columns: of the data.
    """
    check_outputs(out, plot)
    if not 0 < interval < 1:
        raise ConfigError(
            setting="interval", expected="a share between 0 and 1", found=f"{interval:g}"
        )
    trained, tracks = open_run(model, data, columns)
    skipped = 0 if insert_rows else _skipped(tracks, trained.preprocessor.step)
    if insert_rows:
        tracks = regular(tracks, trained.preprocessor.step)
    filled = fill(
        tracks,
        model=trained,
        samples=samples,
        particles=particles,
        sweeps=sweeps,
        seed=seed,
        calibrate=interval if calibrate else None,
    )
    drawn = np.array([int(m.any(-1).sum()) for m in filled.missing])
    absent = sum(int(np.isnan(x).any(-1).sum()) for x in filled.tracks.x)
    filled.save(out, interval)
    if absent:
        print(
            f"{out}: {plural(int(drawn.sum()), 'missing point')} of "
            f"{plural(int((drawn > 0).sum()), 'track')} filled by the mean of "
            f"{plural(samples, 'path')}, with intervals that hold {interval:g} of them"
        )
    else:
        print(f"{out}: nothing is missing in {plural(len(tracks), 'track')}")
    if calibrate:
        print(
            f"paths {filled.widening:.2f} times as far from their mean as the model has them, "
            "by seen points that were hidden"
        )
    if absent > drawn.sum():
        left = plural(absent - int(drawn.sum()), "row")
        print(f"{left} left empty: nothing is drawn before the first point of a track")
    if all(trained.network.family.continuous) and (
        poor := int((filled.distinct < FEW * samples).sum())
    ):
        print(
            f"{plural(poor, 'track')}: somewhere fewer than {FEW:.0%} of the paths differ, and "
            f"intervals are rough there; raise --particles above {particles}, or --sweeps above "
            f"{sweeps}"
        )
    if skipped:
        print(
            f"{plural(skipped, 'gap')} in time {'has' if skipped == 1 else 'have'} no rows to "
            "fill: --insert-rows puts them in"
        )
    if plot is not None and drawn.any():
        filled.plot(plot)
        print(f"{plot}: picture of the first of them")
    elif plot is not None:
        print(f"{plot}: not written, as nothing was filled")


def _skipped(tracks: Tracks, step: float) -> int:
    """Count the places where times skip a step."""
    return sum(int((np.diff(t) > 1.5 * step).sum()) for t in tracks.times)
