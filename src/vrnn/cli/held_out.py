"""How a new run does on tracks that it was not trained on: a table, a verdict and a picture."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from vrnn.console import say
from vrnn.data.describe import describe
from vrnn.data.tracks import Tracks
from vrnn.data.windows import windows
from vrnn.errors import VrnnError
from vrnn.tasks.evaluate import evaluate
from vrnn.tasks.evaluation import LABELS, Evaluation
from vrnn.tasks.forecast import forecast
from vrnn.trained import TrainedModel
from vrnn.training.config import TrainConfig
from vrnn.training.shipped import SHIPPED, fitted, shipped

PICTURE = "futures.png"
MOST = 400  # windows that are evaluated
SHOWN = 4  # windows in the picture


def held_out_table(model: TrainedModel, val: Tracks, out: Path) -> list[str]:
    """Return lines that compare a model with baselines and the shipped model, and draw a picture.

    Args:
        model: the trained model.
        val: tracks that it was not trained on; they may have chosen its weights.
        out: the run folder, which gets the picture.
    """
    discrete = not any(model.network.observation.continuous)
    if model.network.supervised or discrete or not len(val):
        return []
    found = describe(val)
    observe, horizon = model.observe or found.observe, found.horizon
    if not observe:
        return ["held out       no 4 complete rows in a row to compare forecasts on"]
    try:
        cut = windows(val, observe + horizon)
    except VrnnError:
        return []
    chosen = np.unique(np.linspace(0, len(cut) - 1, min(MOST, len(cut))).astype(int))
    cut = cut[chosen]
    mine = evaluate(cut, model=model, observe=observe, horizon=horizon)
    if not isinstance(mine, Evaluation):
        return []
    rows = {"this run": mine.model}
    rows |= {LABELS[name]: scores for name, scores in mine.baselines.items()}
    untrained = _shipped(model, cut, observe, horizon)
    if untrained is not None and untrained.unit == mine.unit:
        rows[SHIPPED[0]] = untrained.model
    unit = f", in {mine.unit}" if mine.unit else ""
    lines = [
        f"held out       {len(cut)} windows, {observe} rows observed and {horizon} forecast{unit}",
        f"{'':>33}{'ADE':>10}{'best of 20':>12}{'energy':>10}",
    ]
    lines += [
        f"{'':<15}{name:<18}{s.ade:>10.4g}{s.min_ade:>12.4g}{s.energy_score:>10.4g}"
        for name, s in rows.items()
    ]
    best = min(rows, key=lambda name: rows[name].energy_score)
    if best != "this run":
        lines.append(f"               {best} has the lowest energy score, lower than this run")
    _draw(model, cut, observe, horizon, out)
    return lines


def _shipped(model: TrainedModel, cut: Tracks, observe: int, horizon: int) -> Evaluation | None:
    """Return the scores of the model that needs no training; None where the data do not suit it.

    On the globe its distances are in the unit of the run.
    """
    unit = TrainConfig.from_dict(model.training).transform.geographic
    try:
        untrained = fitted(shipped(SHIPPED[0]), cut, unit)
        found = evaluate(cut, model=untrained, observe=observe, horizon=horizon)
    except VrnnError:
        return None
    return found if isinstance(found, Evaluation) else None


def _draw(model: TrainedModel, cut: Tracks, observe: int, horizon: int, out: Path) -> None:
    """Draw futures of some windows beside what happened."""
    if find_spec("matplotlib") is None or cut.x_dim > 2 or cut.u_dim:
        return
    some = cut[np.unique(np.linspace(0, len(cut) - 1, SHOWN).astype(int))]
    found = forecast(some.cut(stop=observe), model=model, horizon=horizon)
    found.plot(out / PICTURE, truth=some.cut(start=observe))
    say(f"{out / PICTURE}: futures of held-out tracks beside what happened")
