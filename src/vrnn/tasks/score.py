"""Scores: how likely each row and each track is, in nats, and how unusual that is among tracks known to be normal."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vrnn.data.io.write import OutputTable, write_table
from vrnn.data.tracks import Tracks
from vrnn.errors import ConfigError, DataError, check_seed, require
from vrnn.inference.noise import Stream, seeded
from vrnn.inference.particle_filter import FilterStep
from vrnn.inference.ranking import rank_draws
from vrnn.inference.resampling import draw_ancestors, take
from vrnn.inference.step import Row
from vrnn.models.contract import Model
from vrnn.tasks.filtering import chunks, steps, write_rows
from vrnn.trained import TrainedModel
from vrnn.training.resolve import ModelOrFolder, resolve_model

PAIRS = 1 << 23  # numbers that the comparison of a row's draws with its particles may hold at once


ScoreName = Literal["density", "excess"]


@dataclass(frozen=True, repr=False)
class Scores:
    """Hold the scores of tracks.

    Attributes:
        ids: the tracks.
        times: time of every row, one array (T_i,) a track.
        log_prob: log p(x_t | x_{<t}) in nats of data units, one array (T_i,) a track; NaN where nothing is scored.
        pit: probability integral transform of that log-density, (T_i,): the share of the model's own next observations that are
            less likely than the one seen, ties split at random. Uniform if the model is right; small where a row is odd.
        excess: by how much that log-density falls short of what the model expected, the mean of its own next observations, (T_i,).
            0 on average if the model is right.
        calibration: scores of the tracks that p-values are counted among, (M,); empty when there are none.
        by: what the score of a track is the mean of: minus the log-density, or by how much it falls short of what was expected.
    """

    ids: list[str]
    times: list[Float[np.ndarray, " time"]]
    log_prob: list[Float[np.ndarray, " time"]]
    pit: list[Float[np.ndarray, " time"]]
    excess: list[Float[np.ndarray, " time"]]
    calibration: Float[np.ndarray, " calibration"]
    by: ScoreName = "density"

    def __repr__(self) -> str:
        against = f", p-values among {len(self.calibration)}" if len(self.calibration) else ""
        return f"Scores({len(self.ids)} tracks{against})"

    @property
    def rows(self) -> np.ndarray:
        """Scored rows of each track, (N,)."""
        return np.array([int(np.isfinite(a).sum() + np.isinf(a).sum()) for a in self.log_prob])

    @property
    def score(self) -> Float[np.ndarray, " tracks"]:
        """Mean over the scored rows of minus the log-density, or of its excess, (N,): high is unusual; NaN without such a row."""
        rows = self.excess if self.by == "excess" else [-a for a in self.log_prob]
        total = np.array([np.nansum(a) for a in rows])
        return np.where(self.rows > 0, total / np.maximum(self.rows, 1), np.nan)

    @property
    def p_value(self) -> Float[np.ndarray, " tracks"]:
        """Share of normal tracks that score as high, (N,): (1 + #{calibration >= score}) / (M + 1).

        Whatever the model, a normal track, exchangeable with those of the calibration, has P(p <= a) <= a (Vovk et al. 2005). NaN
        without a calibration.
        """
        if not len(self.calibration):
            return np.full(len(self.ids), np.nan)
        ordered, score = np.sort(self.calibration), self.score
        above = len(ordered) - np.searchsorted(ordered, score, side="left")
        return np.where(np.isnan(score), np.nan, (1 + above) / (len(ordered) + 1))

    def against(self, normal: "Scores") -> "Scores":
        """Count p-values and thresholds among the scores of normal tracks that the model was not trained on.

        Raises:
            DataError: no normal track has a scored row, or its scores are of another sort.
        """
        if normal.by != self.by:
            raise DataError(
                f"expected a calibration scored by {self.by} like the tracks, found one by "
                f"{normal.by}"
            )
        scored = normal.score[~np.isnan(normal.score)]
        if not len(scored):
            raise DataError(
                "expected calibration tracks with a scored row, found none; are they long enough?"
            )
        return replace(self, calibration=scored)

    def threshold(self, false_alarms: float) -> float:
        """Give the score above which a track is called unusual, so that at most a share `false_alarms` of normal ones is.

        Raises:
            ConfigError: no calibration, or too few tracks in it for so small a share.
        """
        fewest, count = fewest_normal(false_alarms), len(self.calibration)
        if not count:
            raise ConfigError(
                "a threshold is counted on normal tracks: expected a calibration, found none"
            )
        if count < fewest:
            raise ConfigError(
                f"expected at least {fewest} calibration tracks for a share of false alarms "
                f"of {false_alarms:g}, found {count}; "
                f"give more, or allow more false alarms"
            )
        allowed = math.floor(false_alarms * (count + 1) + 1e-9)
        return float(np.sort(self.calibration)[-allowed])

    def unusual(self, false_alarms: float) -> Bool[np.ndarray, " tracks"]:
        """Tell which tracks score above the threshold, (N,); they are those with p-values up to `false_alarms`."""
        return np.asarray(self.score > self.threshold(false_alarms))

    def to_columns(self, false_alarms: float | None = None) -> OutputTable:
        """Give a table with a row a track: id, rows, score, p_value where there is a calibration, unusual (0 or 1) if asked."""
        columns: OutputTable = {
            "id": np.array(self.ids, object),
            "rows": self.rows,
            "score": self.score,
        }
        if len(self.calibration):
            columns["p_value"] = self.p_value
        if false_alarms is not None:
            columns["unusual"] = self.unusual(false_alarms).astype(np.int64)
        return columns

    def row_columns(self) -> OutputTable:
        """Give a table with a row a row: id, t, log_prob, pit, excess."""
        return {
            "id": np.repeat(np.array(self.ids, object), [len(a) for a in self.log_prob]),
            "t": np.concatenate(self.times),
            "log_prob": np.concatenate(self.log_prob),
            "pit": np.concatenate(self.pit),
            "excess": np.concatenate(self.excess),
        }

    def to_frame(self, false_alarms: float | None = None) -> Any:
        """Give the table of tracks as a pandas DataFrame."""
        return require("pandas", "frames").DataFrame(self.to_columns(false_alarms))

    def save(
        self, path: str | Path, rows: str | Path | None = None, false_alarms: float | None = None
    ) -> Path:
        """Write the table of tracks, and that of rows if named, to .csv, .parquet or .npz."""
        columns = self.to_columns(false_alarms)
        if rows is not None:
            write_table(self.row_columns(), rows)
        return write_table(columns, path)

    def plot(self, path: str | Path, false_alarms: float | None = None, **options: Any) -> Path:
        """Draw the scores in order, with the threshold and the calibration; of a single track its rows.

        `options` go to `vrnn.plots.plot_scores` or `plot_time_steps`.
        """
        from vrnn.plots import plot_scores, plot_time_steps

        if len(self.ids) == 1:
            return plot_time_steps(self.times[0], self.log_prob[0], self.pit[0], path, **options)
        threshold = None if false_alarms is None else self.threshold(false_alarms)
        return plot_scores(self.score, path, self.ids, threshold, self.calibration, **options)


def fewest_normal(false_alarms: float) -> int:
    """Give how many calibration tracks a threshold for a share of false alarms takes at least.

    Raises:
        ConfigError: no share.

    >>> fewest_normal(0.01), fewest_normal(0.5)
    (99, 1)
    """
    if not 0 < false_alarms < 1:
        raise ConfigError(f"expected a share of false alarms between 0 and 1, found {false_alarms}")
    return math.ceil(1 / false_alarms - 1e-9) - 1


@torch.inference_mode()
def score(
    tracks: Tracks | np.ndarray,
    *,
    model: ModelOrFolder,
    calibration: Tracks | np.ndarray | None = None,
    particles: int = 100,
    seed: int = 0,
    by: ScoreName = "density",
) -> Scores:
    """Score rows and tracks by the density that the model gives them, one step ahead.

    score = -1/T sum_t log p(x_t | x_{<t}),   log p(x_t | x_{<t}) = log sum_i w_i p(x_t, z_t^i | s^i) / q(z_t^i)

    estimated by a particle filter that sees each row's evidence alone. Each row's estimate is a little low on average, less
    with more particles; exact for an RNN without gaps.

    Args:
        calibration: normal tracks that the model was not trained on; p-values and thresholds are counted among them.
        particles: of the filter.
        seed: of all noise.
        by: density, as above; or excess, the mean of E[log p(X_t | x_{<t})] - log p(x_t | x_{<t}) with X_t drawn from the model.
            A smooth track of a kind never seen can be likelier than any track of the training, for what is smooth has high
            densities; the excess asks how likely a row is for what the model could have expected there.

    Raises:
        DataError: tracks that do not fit the model, or a calibration without a scored row.

    Example:
        >>> import numpy as np, vrnn
        >>> walk = lambda i: np.cumsum(np.random.default_rng(i).normal(size=(12, 2)), 0)
        >>> tracks = vrnn.Tracks([walk(i) for i in range(30)])
        >>> config = vrnn.VRNNConfig(x_dim=2, hidden=8)
        >>> run = vrnn.train(tracks[:20], config=config, training=vrnn.TrainConfig(steps=5), quiet=True)
        >>> scores = vrnn.score(tracks[20:22], model=run.model, calibration=tracks[22:], particles=10)
        >>> scores.score.shape, scores.p_value.shape, scores.log_prob[0].shape
        ((2,), (2,), (12,))
    """
    check_seed(seed)
    if particles < 1:
        raise ConfigError(setting="particles", expected="at least 1", found=particles)
    if by not in ("density", "excess"):
        raise ConfigError(setting="by", expected="density or excess", found=repr(by))
    model = resolve_model(model)
    found = _score(model, model.as_tracks(tracks), particles, seed, by)
    if calibration is None:
        return found
    # Noise of its own, or tracks of equal place would share it.
    other = int(seeded(seed, Stream.CALIBRATION).initial_seed() % 2**31)
    return found.against(_score(model, model.as_tracks(calibration), particles, other, by))


def mixture(parts: Sequence[Scores], weights: Sequence[float] | None = None) -> Scores:
    """Give the scores of the same tracks under a mixture: each is of one kind of several, which one is not known.

    p(x_t | x_{<t}) = sum_k w_k p_k(x_{1:t}) / sum_k w_k p_k(x_{1:t-1})

    What was seen so far tells the kinds apart, so that the later rows are scored under those that it fits. The parts are
    scores by a model with the kind as an input, set to each in turn, or by several models.

    Args:
        parts: the scores under each kind, of the same tracks.
        weights: how frequent each kind is, positive; all alike when None.

    Returns:
        scores without `pit`, which is NaN, and without a calibration; see `Scores.against`. What is expected of a row is
        what each kind expects, averaged by the kinds' probabilities given the rows before; a row that tells the kinds apart adds
        to the excess of normal tracks too, by at most log K a track in all.

    Raises:
        DataError: no parts, or parts of different tracks or rows.
        ConfigError: weights that are not positive, one a part.

    Example:
        >>> import numpy as np
        >>> t, nothing = [np.arange(2.0)], [np.full(2, np.nan)]
        >>> one, two = (Scores(["a"], t, [np.log(p)], nothing, nothing, np.zeros(0)) for p in ([0.5, 0.9], [0.5, 0.1]))
        >>> np.exp(mixture([one, two]).log_prob[0]).round(3)
        array([0.5, 0.5])
    """
    if not parts:
        raise DataError("a mixture takes the scores under at least one kind, found none")
    share = np.ones(len(parts)) if weights is None else np.asarray(weights, float)
    if share.shape != (len(parts),) or not (np.isfinite(share) & (share > 0)).all():
        raise ConfigError(
            f"expected {len(parts)} positive weights, one a part, found {share.tolist()}"
        )
    first, prior = parts[0], np.log(share / share.sum())
    scored = [~np.isnan(a) for a in first.log_prob]
    for other in parts[1:]:
        same = other.ids == first.ids and all(
            np.array_equal(rows, ~np.isnan(a))
            for rows, a in zip(scored, other.log_prob, strict=True)
        )
        if not same:
            raise DataError(
                "the parts of a mixture are scores of the same rows of the same tracks; "
                "these differ"
            )
        if other.by != first.by:
            raise DataError(
                f"the parts of a mixture are scores of one sort, found {first.by} and {other.by}"
            )
    log_prob, excesses = [], []
    for i, rows in enumerate(scored):
        seen, short = (np.stack([v[i][rows] for v in values]) for values in (
            [part.log_prob for part in parts], [part.excess for part in parts]
        ))  # fmt: skip
        joint = np.column_stack([prior, prior[:, None] + seen.cumsum(1)])
        total = np.logaddexp.reduce(joint, axis=0)
        # After a row that is impossible under all kinds nothing is left to score.
        with np.errstate(invalid="ignore"):
            gain = np.nan_to_num(np.diff(total), nan=0.0, neginf=-np.inf)
            told = np.nan_to_num(np.exp(joint - total))[:, :-1]
            mean = (told * np.nan_to_num(short + seen, posinf=0.0, neginf=0.0)).sum(
                0
            )  # what is expected
        for found, values in ((log_prob, gain), (excesses, mean - gain)):
            filled = np.full(len(rows), np.nan)
            filled[rows] = values
            found.append(filled)
    nothing = [np.full(len(rows), np.nan) for rows in scored]
    return Scores(first.ids, first.times, log_prob, nothing, excesses, np.zeros(0), first.by)


def _score(model: TrainedModel, tracks: Tracks, particles: int, seed: int, by: ScoreName) -> Scores:
    log_prob, pit, excesses = ([np.full(len(x), np.nan) for x in tracks.x] for _ in range(3))
    at_once = max(1, PAIRS // (particles**2 * model.network.family.dim))
    for chunk in chunks(model, tracks, particles, at_once):
        batch, generator = chunk.batch, seeded(seed, Stream.RANK, chunk.start)
        every = steps(model.network, chunk, particles, seed)
        scored, ranks, short = [], [], []
        for t, (step, row) in enumerate(every):
            place, excess = step.log_prob, step.log_prob
            if bool(batch.mask[:, t].any()):
                place, excess = rank(model.network, step, row, generator)
            scored.append(step.log_prob)
            ranks.append(place)
            short.append(excess)
        if scored:
            write_rows(log_prob, chunk, torch.stack(scored, -1) + batch.log_jacobian_per_step)
            write_rows(pit, chunk, torch.stack(ranks, -1))
            write_rows(excesses, chunk, torch.stack(short, -1))
    return Scores(list(tracks.ids), list(tracks.times), log_prob, pit, excesses, np.zeros(0), by)


def rank(
    model: Model, step: FilterStep, row: Row, generator: torch.Generator
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """Give the probability integral transform of a row's log-density, and how far that is below its mean over draws.

    Of as many draws as there are particles.

    Each particle, chosen by weight, draws a next observation with a latent from its prior; the densities of a draw and of what
    was seen are compared under the mixture of all other particles. Of N draws, r are less likely than what was seen and e
    as likely, up to rounding, which masses are: (r + v (e + 1)) / (N + 1), v uniform.
    """
    before = step.before
    count, size = before.log_weight.shape
    normal = lambda *shape: torch.randn(*shape, generator=generator).to(before.gap)  # noqa: E731
    entering = model.with_input(before.state, row.known)
    z = model.prior(entering, row.known).sample(normal(count, size, model.latent_dim))
    emission = model.emission(model.with_latent(entering, z), row.known)
    chosen = draw_ancestors(before.log_weight, normal(1, size), "systematic")
    fresh = emission.sample(normal(count, size, model.family.noise_size)).expand(count, size, -1)
    drawn = take(fresh + before.gap, chosen)
    against = torch.cat([drawn, row.x.expand(1, size, -1)])
    density = emission.log_prob(against[:, None] - before.gap, row.present) + before.log_weight
    own = chosen[:, None] == torch.arange(count, device=chosen.device)[:, None]
    ranked = rank_draws(density, own)
    uniform = torch.rand(size, generator=generator).to(density)
    return (ranked.less + uniform * (ranked.ties + 1)) / (count + 1), ranked.excess
