"""Verification cases of the storms: forecast times, what the model sees, and what happened."""

from dataclasses import dataclass, replace

import numpy as np

import vrnn
from vrnn.data.tracks import Tracks

STEP = 6.0  # hours
HORIZONS = (12, 24, 36, 48, 72, 96, 120)  # hours


@dataclass(frozen=True)
class Cases:
    """Verification cases: prefixes that end at the time of a forecast, and what happened.

    Attributes:
        prefix: tracks up to the time of the forecast: latitude, longitude, whether tropical.
        truth: positions of the following 20 rows, (case, 20, 2) degrees; NaN where no case is.
        straight: latitude and longitude of the last 12 h continued, (case, 20, 2).
    """

    prefix: Tracks
    truth: np.ndarray
    straight: np.ndarray


def verification_cases(tracks: Tracks) -> Cases:
    """Return every synoptic time with a fix 12 h earlier and a tropical or subtropical storm.

    The storm is tropical or subtropical at the horizon too.
    """
    prefixes, truths, straights = [], [], []
    most = HORIZONS[-1] // int(STEP)
    steps = np.arange(1, most + 1)[:, None]
    for storm in tracks:
        x, tropical = storm.x[0][:, :2], np.nan_to_num(storm.x[0][:, 2]) > 0
        for t in range(2, len(x) - 1):
            if not (tropical[t] and np.isfinite(x[[t - 2, t]]).all()):
                continue
            future = np.full((most, 2), np.nan)
            ahead = np.where(tropical[t + 1 :, None], x[t + 1 :], np.nan)[:most]
            future[: len(ahead)] = ahead
            prefixes.append(storm.cut(stop=t + 1))
            truths.append(future)
            straights.append(x[t] + steps * (x[t] - x[t - 2]) / 2)
    return Cases(vrnn.concatenate(prefixes), np.stack(truths), np.stack(straights))


def columns(tracks: Tracks, width: int) -> Tracks:
    """Return the tracks with the first columns of x."""
    return replace(tracks, x=[x[:, :width] for x in tracks.x], x_names=tracks.x_names[:width])


def by_year(errors: np.ndarray, cases: Cases, there: np.ndarray) -> dict[str, float]:
    """Return the mean error of each year over the cases that are there."""
    year = np.array([name[4:8] for name in cases.prefix.ids])[there]
    return {str(y): float(errors[year == y].mean()) for y in np.unique(year)}
