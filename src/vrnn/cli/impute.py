"""`vrnn impute`: what missing points may have been."""

from pathlib import Path

import numpy as np

from vrnn.cli.data import ColumnFlags
from vrnn.cli.outputs import check_outputs
from vrnn.cli.runs import Run, open_run
from vrnn.data.resample import regular
from vrnn.data.tracks import Tracks
from vrnn.data.wording import plural
from vrnn.errors import ConfigError, DataError, Setting
from vrnn.tasks.impute import impute as fill
from vrnn.tasks.imputed import Imputed

FEW = 0.25  # share of paths that should differ at every missing point


def impute(
    data: Path,
    /,
    *,
    model: Run | None = None,
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
        model: run folder that vrnn train wrote; None is the model that needs no training.
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
    check_outputs(out, plot=plot, data=[data], runs=[model])
    if not 0 < interval < 1:
        raise ConfigError(
            setting="interval", expected="a share between 0 and 1", found=f"{interval:g}"
        )
    trained, tracks = open_run(model, data, columns)
    skipped = 0 if insert_rows else _skipped(tracks, trained.preprocessor.step)
    if insert_rows:
        tracks = regular(tracks, trained.preprocessor.step)
    try:
        filled = fill(
            tracks,
            model=trained,
            samples=samples,
            particles=particles,
            sweeps=sweeps,
            seed=seed,
            calibrate=interval if calibrate else None,
        )
    except DataError as error:
        if not (skipped and error.setting == "calibrate"):
            raise
        way_out = (f"{_without_rows(skipped)}: ", Setting("insert_rows"), " puts them in")
        raise DataError(error, hint=way_out) from error
    filled.save(out, interval)
    print(f"{out}: {_sum_up(filled, interval, calibrate)}")
    if all(trained.network.observation.continuous) and (
        poor := int((filled.distinct < FEW * samples).sum())
    ):
        print(
            f"{plural(poor, 'track')}: somewhere fewer than {FEW:.0%} of the paths differ, and "
            f"intervals are rough there; raise --particles above {particles}, or --sweeps above "
            f"{sweeps}"
        )
    if skipped:
        print(f"{_without_rows(skipped)}: --insert-rows puts them in")
    if plot is not None and any(drawn.any() for drawn in filled.missing):
        filled.plot(plot)
        print(f"{plot}: picture of the first of them")
    elif plot is not None:
        print(f"{plot}: not written, as nothing was filled")


def _sum_up(filled: Imputed, interval: float, calibrate: bool) -> str:
    """Return what was filled and what was not, a line each."""
    drawn = np.array([int(m.any(-1).sum()) for m in filled.missing])
    absent = sum(int(np.isnan(x).any(-1).sum()) for x in filled.tracks.x)
    lines = [f"nothing is missing in {plural(len(drawn), 'track')}"]
    if absent:
        lines = [
            f"{plural(int(drawn.sum()), 'missing point')} of "
            f"{plural(int((drawn > 0).sum()), 'track')} filled by the mean of "
            f"{plural(len(filled.samples[0]), 'path')}, with intervals that hold {interval:g} of "
            "them"
        ]
    if calibrate:
        lines.append(
            f"paths {filled.widening:.2f} times as far from their mean as the model has them, "
            "by seen points that were hidden"
        )
    if left := absent - int(drawn.sum()):
        lines.append(
            f"{plural(left, 'row')} left empty: nothing is drawn before the first point of a track"
        )
    return "\n".join(lines)


def _without_rows(skipped: int) -> str:
    """Return the words for gaps in time."""
    return f"{plural(skipped, 'gap')} in time {'has' if skipped == 1 else 'have'} no rows to fill"


def _skipped(tracks: Tracks, step: float) -> int:
    """Count the places where times skip a step."""
    return sum(int((np.diff(t) > 1.5 * step).sum()) for t in tracks.times)
