"""The results of `evaluate`: scores, baselines and the rule of every number."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Selection = Literal["samples", "clusters", "modes"]
KalmanFit = Literal["training tracks", "observed rows"]

RULES = """\
ADE, FDE: mean and final distance of the mean of all samples from the truth.
minADE, minFDE: the best of K futures of each window, each by its own best. The K futures are
{selection}
NLL: minus the log of the mean density of the true future over K filtered states, per step. For a
model with latents it is an upper bound. That of a baseline is exact.
Energy score: of plain samples, the whole future as one vector. It is unbiased, but for
quasi-random samples, which it takes as they are. That of one path is its distance."""

BASELINE_RULES = {
    "constant_velocity": "Constant velocity: the last displacement repeated, one path.",
    "random_walk": """\
Random walk: of the velocity. The variance of its changes is that in the observed rows of the same
window. In the NLL these have one change more, of the usual size, so that each path has a density.""",
    "kalman": """\
Kalman filter: of constant velocity, with noise in velocity and points. Its two variances are the
most likely ones of the {kalman_fit}.""",
}

WINDOWS = "Windows: every run of {rows} complete rows at the usual time step, stride 1."

SELECTIONS = {
    "samples": "plain samples; quasi-random samples repel each other.",
    "clusters": "the centres of clusters of {count} samples, chosen without the truth.",
    "modes": "those of a mode set, which was fitted for the best of K; of baselines, plain samples.",
}

LABELS = {
    "constant_velocity": "constant velocity",
    "random_walk": "random walk",
    "kalman": "Kalman filter",
}
NO_BASELINES = "Baselines: none, because columns of categories have no velocity."
NO_SPREAD = "{names}: left out, because one change of velocity needs 3 observed rows."
NO_DENSITY = "The NLL of baselines is left out, because that of the model is of other columns too."


@dataclass(frozen=True)
class ForecastScores:
    """The scores of a model or a baseline, means over windows.

    Distances are in data units, or in the unit of a geographic transform. `nll` is in nats per
    step, in data units; NaN of a baseline without a density of the same columns.
    """

    ade: float
    fde: float
    min_ade: float
    min_fde: float
    nll: float
    energy_score: float

    def to_dict(self) -> dict[str, float | None]:
        """Return the scores by name, ready for JSON."""
        return {k: None if math.isnan(v) else v for k, v in asdict(self).items()}


@dataclass(frozen=True)
class Evaluation:
    """The evaluation of a model that forecasts.

    Attributes:
        model: the scores of the model.
        baselines: the scores of "constant_velocity", "random_walk" and "kalman", without those
            that the data do not allow.
        better_baselines: those with a lower energy score than the model. The mean difference over
            windows is more than two standard errors, clustered by track. One track alone gives no
            standard error.
        kalman_fit: what the Kalman filter was fitted to. A model that needs no training, or a run
            folder of older code, has no filter, so that it fits the observed rows of all windows.
    """

    windows: int
    samples: int
    selection: Selection
    model: ForecastScores
    baselines: Mapping[str, ForecastScores]
    better_baselines: tuple[str, ...]
    observe: int
    horizon: int
    samples_per_cluster: int = 10
    qmc: bool = False
    unit: str = ""
    temperature: float = 1.0
    kalman_fit: KalmanFit = "observed rows"

    def to_dict(self) -> dict[str, Any]:
        """Return what `vrnn evaluate --json` prints, each baseline beside the model."""
        return {
            "windows": self.windows,
            "samples": self.samples,
            "selection": self.selection,
            "model": self.model.to_dict(),
            **{name: scores.to_dict() for name, scores in self.baselines.items()},
            **({"kalman_fit": self.kalman_fit} if "kalman" in self.baselines else {}),
            "better_baselines": list(self.better_baselines),
            **({"qmc": True} if self.qmc else {}),
            **({"temperature": self.temperature} if self.temperature != 1 else {}),
        }

    def to_text(self) -> str:
        """Return a table of the model and the baselines, and the rules of its numbers."""
        k = self.samples
        names = ("", "ADE", "FDE", f"minADE{k}", f"minFDE{k}", "NLL/step", "energy")
        rows = {"model": self.model}
        rows |= {LABELS[name]: scores for name, scores in self.baselines.items()}
        lines = [
            self._head(),
            "",
            "".join(f"{n:>18}" if not i else f"{n:>11}" for i, n in enumerate(names)),
        ]
        for name, scores in rows.items():
            values = asdict(scores).values()
            cells = "".join(f"{v:>11.3f}" if not math.isnan(v) else f"{'-':>11}" for v in values)
            lines.append(f"{name:>18}{cells}")
        selection = SELECTIONS[self.selection].format(count=k * self.samples_per_cluster)
        lines += ["", RULES.format(selection=selection), *self._baseline_rules()]
        lines.append(WINDOWS.format(rows=self.observe + self.horizon))
        return "\n".join([*lines, *self._verdict()])

    def _baseline_rules(self) -> Iterator[str]:
        """Yield how each baseline is made, and why one is left out."""
        if not self.baselines:
            yield NO_BASELINES
            return
        for name in self.baselines:
            yield BASELINE_RULES[name].format(kalman_fit=self.kalman_fit)
        absent = [label for name, label in LABELS.items() if name not in self.baselines]
        if absent:
            yield NO_SPREAD.format(names=_capitalised(" and ".join(absent)))
        if all(math.isnan(scores.nll) for scores in self.baselines.values()) and not absent:
            yield NO_DENSITY

    def _verdict(self) -> list[str]:
        """Return the sentence about baselines that beat the model; empty without any."""
        if not self.better_baselines:
            return []
        names = [LABELS[name] for name in self.better_baselines]
        listed = " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
        have = "has" if len(names) == 1 else "have"
        return [
            "",
            f"{_capitalised(listed)} {have} a lower energy score than the model,\n"
            "by more than two standard errors over tracks.",
        ]

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
            parts.append(f"at temperature {self.temperature:g} (the NLL and the baselines at 1)")
        return ", ".join(parts)


def _capitalised(text: str) -> str:
    """Return a text that begins with a capital letter and is otherwise the same."""
    return text[:1].upper() + text[1:]


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
