"""`vrnn score`: how unusual tracks are."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from vrnn.cli.data import ColumnFlags, GroupName, read
from vrnn.cli.flags import CommandWords
from vrnn.cli.outputs import check_outputs
from vrnn.cli.runs import Run, open_run, trained_columns
from vrnn.console import visible
from vrnn.data.wording import plural
from vrnn.errors import ConfigError, DataError, Function, Setting, write
from vrnn.tasks.score import score as rate
from vrnn.tasks.scores import Scores, fewest_normal, more_normal
from vrnn.trained import TrainedModel

NAMED = 10  # unusual tracks that are printed
FALSE_ALARMS = 0.01


def score(
    data: Path,
    /,
    *,
    model: Run | None = None,
    out: Path,
    rows: Path | None = None,
    calibration: Path | None = None,
    calibration_group: GroupName = "",
    false_alarms: float | None = None,
    by: Literal["density", "excess"] = "density",
    ranks: bool = False,
    particles: int = 100,
    plot: Path | None = None,
    seed: int = 0,
    columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
) -> None:
    """Score tracks by minus the log-density of each row, one step ahead. High is unusual.

    With a calibration set of normal tracks, each track gets a p-value. The command then names the
    tracks above a threshold.

    Args:
        data: tracks, a file or a folder of files.
        model: run folder that vrnn train wrote; None is the model that needs no training.
        out: table to write, .csv, .parquet or .npz: id, rows, score; with a calibration set,
            p_value and unusual too.
        rows: table of every row to write: id, t, log_prob; pit and excess too with --ranks.
        calibration: calibration set: normal tracks that were not trained on.
        calibration_group: the set to take of it.
        false_alarms: share of normal tracks that may be called unusual; None is 0.01 where the
            calibration set is large enough.
        by: density, or excess: how far the log-density falls short of what the model expects of
            its own next rows. Excess finds kinds that are smoother than those of the training.
        ranks: rank every row among the model's own draws too, which takes longer. --by excess
            always does.
        particles: of the particle filter.
        plot: picture to write, .png, .pdf or .svg.
        seed: of all noise.
        columns: of the data.
    """
    check_outputs(out, rows, plot=plot, data=[data, calibration], runs=[model])
    if calibration is None and calibration_group:
        calibration = data
    if false_alarms is not None and calibration is None:
        raise ConfigError(
            "a threshold is counted on normal tracks",
            expected=(Setting("calibration"), " beside ", Setting("false_alarms")),
            found="none",
        )
    fewest = fewest_normal(FALSE_ALARMS if false_alarms is None else false_alarms)
    trained, tracks = open_run(model, data, columns)
    normal = None
    if calibration is not None:
        flags = replace(columns, group=calibration_group or columns.group)
        normal = read(calibration, flags, trained_columns(model, trained))
        _check_enough(len(normal), fewest, false_alarms)
    scores = rate(
        tracks,
        model=trained,
        calibration=normal,
        particles=particles,
        seed=seed,
        by=by,
        ranks=ranks,
    )
    if not scores.rows.any():
        raise DataError(
            expected="a track with a scored row", found="none", hint=("see ", Function("describe"))
        )
    enough = normal is not None and len(scores.calibration) >= fewest
    share = (false_alarms or FALSE_ALARMS) if enough or false_alarms is not None else None
    scores.save(out, rows, share)
    print(f"{out}: {_sum_up(scores, particles, trained)}")
    if share is not None:
        print(visible(_alarms(scores, share)))
    elif normal is not None:
        count = len(scores.calibration)
        print(
            f"no threshold: {FALSE_ALARMS:g} false alarms take {fewest} calibration tracks, "
            f"found {count}; {write(more_normal(count), CommandWords())}"
        )
    if rows is not None:
        print(f"{rows}: every row")
    if plot is not None:
        scores.plot(plot, share)
        print(f"{plot}: picture of them")


def _check_enough(count: int, fewest: int, false_alarms: float | None) -> None:
    """Refuse a calibration set that is too small for the share that was asked for."""
    if false_alarms is not None and count < fewest:
        share = Setting("false_alarms", f"{false_alarms:g}")
        raise ConfigError(
            expected=(f"at least {fewest} calibration tracks for ", share),
            found=count,
            hint=more_normal(count),
        )


def _sum_up(scores: Scores, particles: int, model: TrainedModel) -> str:
    """Return what the scores are, and their median."""
    of = model.bounds_what if model.exact else f"a lower bound on {model.bounds_what}"
    what = (
        f"minus {of}"
        if scores.by == "density"
        else "the shortfall of log p(row) from its mean over the model's own rows,"
    )
    scored = scores.score[scores.rows > 0]
    without = len(scores.ids) - len(scored)
    left = f", {without} of them without a scored row" if without else ""
    return (
        f"scores of {plural(len(scores.ids), 'track')}{left}: {what} by "
        f"{plural(particles, 'particle')}, per scored row; "
        f"median {np.median(scored):.4f} nats, in data units"
    )


def _alarms(scores: Scores, share: float) -> str:
    """Name the tracks above the threshold, the highest first."""
    order = np.argsort(-np.nan_to_num(scores.score, nan=-np.inf), kind="stable")
    unusual = scores.unusual(share)
    above = [scores.ids[i] for i in order if unusual[i]]
    names = ", ".join(above[:NAMED]) + (
        f" and {len(above) - NAMED} more" if len(above) > NAMED else ""
    )
    return (
        f"threshold {scores.threshold(share):.4f}, {share:g} false alarms among "
        f"{len(scores.calibration)} calibration tracks: {len(above)} of "
        f"{plural(len(scores.ids), 'track')} above it" + (f": {names}" if names else "")
    )
