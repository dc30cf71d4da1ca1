"""`vrnn score`: how unusual tracks are."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from tyro.conf import Positional

from vrnn.cli.data import ColumnFlags, Group, read
from vrnn.cli.outputs import check_outputs
from vrnn.cli.runs import open_run, trained_columns
from vrnn.data.describe.wording import plural
from vrnn.errors import ConfigError, DataError
from vrnn.tasks.score import Scores, fewest_normal
from vrnn.tasks.score import score as rate
from vrnn.trained import TrainedModel

NAMED = 10  # unusual tracks that are printed
FALSE_ALARMS = 0.01


def score(
    run: Positional[Path],
    data: Positional[Path],
    *,
    out: Path,
    rows: Path | None = None,
    calibration: Path | None = None,
    calibration_group: Group = "",
    false_alarms: float | None = None,
    by: Literal["density", "excess"] = "density",
    particles: int = 100,
    plot: Path | None = None,
    seed: int = 0,
    columns: ColumnFlags = ColumnFlags(),  # noqa: B008 (frozen)
) -> None:
    """Score tracks: minus the log-density that the model gives each row, one step ahead. High is unusual.

    By excess, how far that log-density falls short of what the model expects of its own next rows: for kinds never seen whose tracks are
    smoother, and so likelier, than those of the training.

    With normal tracks to compare with, each track gets a p-value, and those above a threshold are named.

    Args:
        run: run folder that vrnn train wrote.
        data: tracks, a file or a folder of files.
        out: table to write, .csv, .parquet or .npz: id, rows, score, with a calibration p_value and unusual.
        rows: table of every row to write: id, t, log_prob, pit, excess.
        calibration: normal tracks, not those of the training, which p-values are counted among.
        calibration_group: the set to take of them.
        false_alarms: share of normal tracks that may be called unusual; None is 0.01 where they are enough.
        by: density or excess.
        particles: of the filter.
        plot: picture to write, .png, .pdf or .svg.
        seed: of all noise.
        columns: of the data.
    """
    check_outputs(out, plot, rows)
    if calibration is None and calibration_group:
        calibration = data
    if false_alarms is not None and calibration is None:
        raise ConfigError(
            "a threshold is counted on normal tracks: expected --calibration DATA beside --false-alarms"
        )
    fewest = fewest_normal(FALSE_ALARMS if false_alarms is None else false_alarms)
    model, tracks = open_run(run, data, columns)
    normal = None
    if calibration is not None:
        flags = replace(columns, group=calibration_group or columns.group)
        normal = read(calibration, flags, trained_columns(run.expanduser(), model))
        if false_alarms is not None and len(normal) < fewest:
            raise ConfigError(
                f"expected at least {fewest} calibration tracks for --false-alarms {false_alarms:g}, found {len(normal)}; give "
                f"more tracks, or a higher share"
            )
    scores = rate(model, tracks, normal, particles, seed, by)
    if not scores.rows.any():
        raise DataError("expected a track with a scored row, found none; see vrnn doctor DATA")
    enough = normal is not None and len(scores.calibration) >= fewest
    share = (false_alarms or FALSE_ALARMS) if enough or false_alarms is not None else None
    scores.save(out, rows, share)
    print(f"{out}: {_sum_up(scores, particles, model)}")
    if share is not None:
        print(_alarms(scores, share))
    elif normal is not None:
        print(
            f"no threshold: {FALSE_ALARMS:g} false alarms take {fewest} calibration tracks, found {len(scores.calibration)}; "
            "choose a share with --false-alarms"
        )
    if rows is not None:
        print(f"{rows}: every row")
    if plot is not None:
        scores.plot(plot, share)
        print(f"{plot}: picture of them")


def _sum_up(scores: Scores, particles: int, model: TrainedModel) -> str:
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
        f"scores of {plural(len(scores.ids), 'track')}{left}: {what} by {plural(particles, 'particle')}, per scored row; "
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
        f"threshold {scores.threshold(share):.4f}, {share:g} false alarms among {len(scores.calibration)} calibration tracks: "
        f"{len(above)} of {plural(len(scores.ids), 'track')} above it"
        + (f": {names}" if names else "")
    )
