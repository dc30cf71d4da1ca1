"""Scores under a mixture: each track is of one of several kinds, and it is not known which."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from vrnn.errors import ConfigError, DataError, Setting
from vrnn.tasks.scores import Scores


def mixture(parts: Sequence[Scores], weights: Sequence[float] | None = None) -> Scores:
    """Return the scores of the same tracks under a mixture of kinds.

    p(x_t | x_{<t}) = sum_k w_k p_k(x_{1:t}) / sum_k w_k p_k(x_{1:t-1})

    The rows so far tell the kinds apart, so later rows are scored under the kinds that fit them.
    The parts are scores by one model with the kind as an input, set to each kind in turn, or
    scores by several models.

    The expectation of a row is the mean of what each kind expects, weighted by the probabilities
    of the kinds given the rows before. A row that tells the kinds apart adds to the excess of
    normal tracks too: at most log K over a whole track.

    Args:
        parts: the scores under each kind, of the same tracks.
        weights: how frequent each kind is, positive; all alike when None.

    Returns:
        scores without a calibration set, see `Scores.against`. They have no `pit`, and an
        `excess` where all parts have one.

    Raises:
        DataError: no parts, or parts of different tracks or rows.
        ConfigError: weights that are not positive, or not one for each part.

    Example:
        >>> import numpy as np
        >>> of = lambda p: Scores(["a"], [np.arange(2.0)], [np.log(p)], [], [], np.zeros(0))
        >>> np.exp(mixture([of([0.5, 0.9]), of([0.5, 0.1])]).log_prob[0]).round(3)
        array([0.5, 0.5])
    """
    if not parts:
        raise DataError(expected="the scores under at least one kind", found="none")
    share = np.ones(len(parts)) if weights is None else np.asarray(weights, float)
    if share.shape != (len(parts),) or not (np.isfinite(share) & (share > 0)).all():
        raise ConfigError(
            expected=f"{len(parts)} positive weights, one a part", found=share.tolist()
        )
    scored = [~np.isnan(a) for a in parts[0].log_prob]
    _check_same(parts, scored)
    first, prior = parts[0], np.log(share / share.sum())
    log_prob, excess = [], []
    ranked = all(part.excess for part in parts)
    for i, rows in enumerate(scored):
        density = np.stack([part.log_prob[i][rows] for part in parts])
        below = (
            np.stack([part.excess[i][rows] for part in parts]) if ranked else np.zeros_like(density)
        )
        for found, values in zip((log_prob, excess), _mixed(prior, density, below), strict=True):
            filled = np.full(len(rows), np.nan)
            filled[rows] = values
            found.append(filled)
    excess = excess if ranked else []
    return Scores(first.ids, first.times, log_prob, [], excess, np.zeros(0), first.by)


def _mixed(
    prior: Float[np.ndarray, " kind"],
    density: Float[np.ndarray, "kind row"],
    excess: Float[np.ndarray, "kind row"],
) -> tuple[Float[np.ndarray, " row"], Float[np.ndarray, " row"]]:
    """Return the log-density and the excess of the rows of one track under the mixture."""
    joint = np.column_stack([prior, prior[:, None] + density.cumsum(1)])
    total = np.logaddexp.reduce(joint, axis=0)
    # After a row that is impossible under all kinds nothing is left to score.
    with np.errstate(invalid="ignore"):
        log_prob = np.nan_to_num(np.diff(total), nan=0.0, neginf=-np.inf)
        posterior = np.nan_to_num(np.exp(joint - total))[:, :-1]
        each = np.nan_to_num(excess + density, posinf=0.0, neginf=0.0)
        expected = (posterior * each).sum(0)
    return log_prob, expected - log_prob


def _check_same(parts: Sequence[Scores], scored: list[np.ndarray]) -> None:
    """Refuse scores of different tracks, rows or kinds of score."""
    first = parts[0]
    for other in parts[1:]:
        same = other.ids == first.ids and all(
            np.array_equal(rows, ~np.isnan(a))
            for rows, a in zip(scored, other.log_prob, strict=True)
        )
        if not same:
            raise DataError(
                "the parts of a mixture are scores of the same rows of the same tracks",
                cause="these differ",
            )
        if other.by != first.by:
            raise DataError(
                "the parts of a mixture are scores of one sort",
                found=f"{first.by} and {other.by}",
                hint=("score all with one value of ", Setting("by")),
            )
