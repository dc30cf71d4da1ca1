"""The results of `evaluate`: scores, baselines and the rule of every number."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

Selection = Literal["samples", "clusters", "modes"]

RULES = """\
ADE, FDE: mean and final distance of the mean of all samples from the truth.
minADE, minFDE: the best of K futures of each window, each by its own best. The K futures are
{selection}
NLL: minus the log of the mean density of the true future over K filtered states, per step. For a
model with latents it is an upper bound.
Energy score: of plain samples, the whole future as one vector. It is unbiased, but for
quasi-random samples, which it takes as they are.
Constant velocity: the last displacement repeated.
Windows: every run of {rows} complete rows at the usual time step, stride 1."""

SELECTIONS = {
    "samples": "plain samples; quasi-random samples repel each other.",
    "clusters": "the centres of clusters of {count} samples, chosen without the truth.",
    "modes": "those of a mode set, which was fitted for the best of K.",
}


@dataclass(frozen=True)
class ForecastScores:
    """The scores of a model, means over windows.

    Distances are in data units, or in the unit of a geographic transform. `nll` is in nats per
    step, in data units.
    """

    ade: float
    fde: float
    min_ade: float
    min_fde: float
    nll: float
    energy_score: float


@dataclass(frozen=True)
class Baseline:
    """The scores of constant velocity, which repeats the last displacement."""

    ade: float
    fde: float


@dataclass(frozen=True)
class Evaluation:
    """The evaluation of a model that forecasts."""

    windows: int
    samples: int
    selection: Selection
    model: ForecastScores
    constant_velocity: Baseline
    observe: int
    horizon: int
    samples_per_cluster: int = 10
    qmc: bool = False
    unit: str = ""
    temperature: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return what `vrnn evaluate --json` prints."""
        values = asdict(self)
        shown = ["windows", "samples", "selection", "model", "constant_velocity"]
        shown += ["qmc"] if self.qmc else []
        shown += ["temperature"] if self.temperature != 1 else []
        return {k: values[k] for k in shown}

    def to_text(self) -> str:
        """Return a table of the model and the baseline, and the rules of its numbers."""
        m, c, k = self.model, self.constant_velocity, self.samples
        names = ("", "ADE", "FDE", f"minADE{k}", f"minFDE{k}", "NLL/step", "energy")
        rows = [
            ("model", m.ade, m.fde, m.min_ade, m.min_fde, m.nll, m.energy_score),
            ("constant velocity", c.ade, c.fde, c.ade, c.fde, math.nan, math.nan),
        ]
        lines = [
            self._head(),
            "",
            "".join(f"{n:>18}" if not i else f"{n:>11}" for i, n in enumerate(names)),
        ]
        for name, *values in rows:
            cells = "".join(f"{v:>11.3f}" if not math.isnan(v) else f"{'-':>11}" for v in values)
            lines.append(f"{name:>18}{cells}")
        selection = SELECTIONS[self.selection].format(count=k * self.samples_per_cluster)
        rules = RULES.format(selection=selection, rows=self.observe + self.horizon)
        return "\n".join([*lines, "", rules])

    def _head(self) -> str:
        """Return what was evaluated, in one line."""
        kind = f"quasi-random {self.selection}" if self.qmc else self.selection
        parts = [
            f"{self.windows} windows",
            f"{self.observe} observed",
            f"{self.horizon} forecast",
            f"{self.samples} {kind}",
        ]
        if self.unit:
            parts.append(f"distances in {self.unit} along great circles")
        if self.temperature != 1:
            parts.append(f"at temperature {self.temperature:g} (the NLL at 1)")
        return ", ".join(parts)


@dataclass(frozen=True)
class TargetEvaluation:
    """The evaluation of a supervised model on whole tracks.

    `nll` is in nats per observed row of y, in data units. `mean_rmse` is the error of always
    predicting the mean of the training data.
    """

    tracks: int
    rows: int
    samples: int
    rmse: float
    nll: float
    mean_rmse: float

    def to_dict(self) -> dict[str, Any]:
        """Return what `vrnn evaluate --json` prints."""
        return {
            "tracks": self.tracks,
            "rows": self.rows,
            "samples": self.samples,
            "model": {"rmse": self.rmse, "nll": self.nll},
            "training_mean": {"rmse": self.mean_rmse},
        }

    def to_text(self) -> str:
        """Return a table of the model and the baseline, and the rules of its numbers."""
        return (
            f"{self.tracks} tracks, {self.rows} rows of y, {self.samples} samples\n\n"
            f"{'':>15}{'RMSE':>10}{'NLL/row':>10}\n"
            f"{'model':>15}{self.rmse:>10.3f}{self.nll:>10.3f}\n"
            f"{'training mean':>15}{self.mean_rmse:>10.3f}{'-':>10}\n\n"
            "RMSE: error of the mean over samples that have not seen y.\n"
            "NLL: minus the log of the mean importance weight of K samples, per observed row. It "
            "is an upper\nbound on -log p(y | x)."
        )
