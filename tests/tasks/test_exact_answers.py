"""Tasks on models whose answers are known exactly, in the units of the tracks."""

import math

import numpy as np
import pytest
import scipy.stats
from tests.helpers.enumeration import LATENTS, TIME, VALUES, Chain
from tests.helpers.exact_tracks import HOLES, chain_tracks, make_exact_tracks, trained_chain
from tests.helpers.kalman_worlds import CONFIGS
from tests.helpers.monte_carlo import assert_mean

import vrnn
from vrnn.data.tracks import Tracks

ALL = pytest.mark.parametrize("name", CONFIGS)
LONG = ("vrnn", "dmm")  # imputation under displacements takes many seconds
TRANSFORMS = pytest.mark.parametrize(
    "displacement", [True, False], ids=["displacement", "positions"]
)


@pytest.mark.parametrize("latent", LATENTS)
@pytest.mark.parametrize("emission", VALUES)
@pytest.mark.parametrize("gap", [None, slice(2, 4)], ids=["complete", "gap"])
def test_scores_of_steps_of_a_chain(emission, gap, latent):
    """log p(x_t | x_{<t}), after a gap too, averaged over tracks that were alike so far."""
    model = Chain(emission, latent)
    tracks, paths = chain_tracks(model, 600, gap)
    found = np.stack(vrnn.filter_tracks(tracks, model=trained_chain(model), particles=200).log_prob)
    x, compared = np.stack(tracks.x)[..., 0], 0
    assert (np.isnan(found) == np.isnan(x)).all()
    for t in np.flatnonzero(np.isfinite(x[0])):
        rows, group = np.unique(np.nan_to_num(x[:, : t + 1], nan=-1.0), axis=0, return_inverse=True)
        for row, size in enumerate(np.bincount(group.ravel())):
            if size < 20:
                continue
            upto = np.where(rows[row] < 0, np.nan, rows[row])
            seen, past = (
                paths.seeing(np.pad(part, (0, TIME - len(part)), constant_values=np.nan))
                for part in (upto, upto[:-1])
            )
            values = found[group.ravel() == row, t]
            assert_mean(np.exp(values), seen.p.sum() / past.p.sum(), resolution=0.25)
            compared += 1
    assert compared > 10
    few = vrnn.score(tracks[:20], model=trained_chain(model), particles=20)
    same = vrnn.filter_tracks(tracks[:20], model=trained_chain(model), particles=20)
    np.testing.assert_array_equal(np.stack(few.log_prob), np.stack(same.log_prob))


@pytest.mark.parametrize("latent", LATENTS)
@pytest.mark.parametrize("emission", VALUES)
def test_pit_of_masses_is_uniform(emission, latent):
    """Values that many draws share are ties, split at random."""
    model = Chain(emission, latent)
    tracks, _ = chain_tracks(model, 400)
    found = vrnn.score(tracks, model=trained_chain(model), particles=60, ranks=True)
    pit = np.concatenate(found.pit)
    assert scipy.stats.kstest(pit, "uniform").pvalue > 0.01


@pytest.mark.parametrize("latent", LATENTS)
def test_imputed_points_of_a_chain(latent):
    """The mean of the paths is P(x_t = 1 | x_observed), averaged over tracks that look alike."""
    model = Chain("bernoulli", latent)
    tracks, paths = chain_tracks(model, 200, slice(2, 4))
    filled = vrnn.impute(tracks, model=trained_chain(model), samples=30, particles=200)
    means = np.stack(filled.mean)[..., 0]
    rows, group = np.unique(
        np.nan_to_num(np.stack(tracks.x)[..., 0], nan=-1.0), axis=0, return_inverse=True
    )
    sizes = np.bincount(group.ravel())
    assert (sizes > 20).sum() > 2
    for row in np.flatnonzero(sizes > 20):
        agreeing = paths.seeing(np.where(rows[row] < 0, np.nan, rows[row]))
        assert_mean(
            means[group.ravel() == row, 2:4], agreeing.mean(agreeing.x[:, 2:4]), resolution=0.2
        )


@pytest.mark.parametrize(
    ("name", "displacement"),
    [
        pytest.param(name, moves, marks=[pytest.mark.slow] if moves or name in LONG else [])
        for moves in (True, False)
        for name in CONFIGS
    ],
)
def test_imputed_points_are_the_smoothers(name, displacement):
    """Mean and spread of the paths are the exact ones, and 90 % intervals cover what they should.

    Between the quantiles 0.05 and 0.95 of n paths lies a share 0.9 (n - 1) / (n + 1) of further
    draws. The share found may be off by 3 standard errors; tracks are independent, and the entries
    of one are not. Under displacements the DMM is blind: a posterior that looks ahead takes the sum
    of increments after a gap for one.
    """
    samples, start = 200, int(displacement)
    data = make_exact_tracks(name, displacement, count=320, time=5, blind=displacement, holes=HOLES)
    filled = vrnn.impute(data.tracks, model=data.model, samples=samples, particles=800)
    (low, high), middle, drawn = filled.interval(0.9), filled.mean, filled.missing
    share, covered, shift, spread = 0.9 * (samples - 1) / (samples + 1), [], [], []
    for i, (x, exact) in enumerate(zip(data.tracks.x, data.exact, strict=True)):
        missing, H = np.isnan(x), data.of_state
        assert (drawn[i] == missing).all()
        assert (filled.samples[i][:, ~missing] == x[~missing]).all()
        mean = (exact.smoothed_mean @ H.T)[missing[start:]]
        sd = np.sqrt(np.diagonal(H @ exact.smoothed_cov @ H.T, axis1=1, axis2=2)[missing[start:]])
        covered.append(((low[i] <= data.whole[i]) & (data.whole[i] <= high[i]))[missing])
        shift.append((middle[i][missing] - mean) / sd)
        spread.append(filled.samples[i].std(0, ddof=1)[missing] / sd)
    count, found = sum(map(len, covered)), np.concatenate(covered).mean()
    error = 3 * np.std([(c - share).sum() for c in covered]) * math.sqrt(len(covered)) / count
    assert error < 0.035 and found == pytest.approx(share, abs=error)
    assert 0.87 < found < 0.93
    # In standard deviations: 0.07 by 200 independent paths; the paths of a filter share forebears.
    assert np.concatenate(shift).std() < 0.15 and abs(np.concatenate(shift).mean()) < 0.01
    assert np.concatenate(spread).mean() == pytest.approx(1, abs=0.02)


@ALL
@TRANSFORMS
def test_scores_of_rows_are_the_predictive_densities(name, displacement):
    """log p(x_t | x_{<t}) of each row, and E[p^(x_{1:t})] = p(x_{1:t}), by many runs over one track."""
    data, runs, start = (
        make_exact_tracks(name, displacement, count=3, time=6),
        100,
        int(displacement),
    )
    for i, exact in enumerate(data.exact):
        x = data.tracks.x[i]
        there = np.isfinite(x).any(-1) & (np.arange(len(x)) >= start)
        found = np.stack(
            vrnn.filter_tracks(Tracks([x] * runs), model=data.model, particles=800).log_prob
        )
        assert (np.isfinite(found) == there).all()
        error = found[:, there] - exact.log_prob[there[start:]]
        assert_mean(
            error + error.var(0) / 2, 0.0, resolution=0.25
        )  # a log lies low by half its variance
        assert_mean(np.exp(error.cumsum(1)), 1.0, resolution=0.4)
    few = vrnn.score(data.tracks, model=data.model, particles=20)
    same = vrnn.filter_tracks(data.tracks, model=data.model, particles=20)
    np.testing.assert_array_equal(np.stack(few.log_prob), np.stack(same.log_prob))


@ALL
@TRANSFORMS
def test_scores_tell_tracks_of_the_model_from_others(name, displacement):
    """pit and p-values are uniform for the model's own tracks, and not for tracks with wider noise.

    By Kolmogorov-Smirnov at 0.1 %, since a dozen comparisons are made. The pit of rows after a gap alone is uniform too.
    """
    own = make_exact_tracks(name, displacement, count=300, time=6)
    other = make_exact_tracks(name, displacement, count=60, time=6, wider=2.0)
    normal, tested = own.tracks[:200], own.tracks[200:]
    every = vrnn.score(own.tracks, model=own.model, particles=40, ranks=True)
    good, bad = (
        vrnn.score(t, model=own.model, calibration=normal, particles=40, ranks=True)
        for t in (tested, other.tracks)
    )

    def uniform(values: np.ndarray) -> float:
        return scipy.stats.kstest(values[np.isfinite(values)], "uniform").pvalue

    pit = np.stack(every.pit)
    after = np.isnan(np.stack(own.tracks.x)).any(-1)[:, :-1]
    for values in (pit, pit[:, 1:][after], good.p_value):
        assert uniform(values) > 1e-3
    for values in (np.stack(bad.pit), bad.p_value):
        assert uniform(values) < 1e-4


@ALL
@TRANSFORMS
@pytest.mark.parametrize("bound_name", ["iwae", "fivo"])
def test_likelihood_of_tracks_in_the_units_of_the_data(name, displacement, bound_name):
    """Within 4 of its standard errors of the exact value, less the bias of a log, nats per row."""
    data = make_exact_tracks(name, displacement, count=4, time=5)
    found = vrnn.likelihood(
        data.tracks, model=data.model, bound=bound_name, samples=1000, repeats=20
    )
    rows = np.array([np.isfinite(x[int(displacement) :]).any(-1).sum() for x in data.tracks.x])
    exact = sum(k.log_prob.sum() for k in data.exact) / rows.sum()
    assert (found.rows == rows).all()
    bias = found.values.var(0).sum() / 2 / rows.sum()
    assert bias < 0.1 and 4 * found.standard_error < 0.1
    assert found.per_row + bias == pytest.approx(exact, abs=4 * found.standard_error + bias / 2)
