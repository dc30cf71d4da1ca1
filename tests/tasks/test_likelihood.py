"""Likelihoods: sums of the densities where those are exact, bounds in their order, and what is counted and refused."""

import math

import numpy as np
import pytest
from tests.helpers.untrained_models import KINDS, SUPERVISED, bits, holed, made, walks

import vrnn
from vrnn.errors import ConfigError, DataError
from vrnn.tasks.likelihood import Likelihood

BOUNDS = pytest.mark.parametrize("name", ["elbo", "iwae", "fivo"])


def ragged() -> vrnn.Tracks:
    """Tracks of 1 to 12 rows, the lengths in no order."""
    return vrnn.Tracks([x[:n] for x, n in zip(walks().x, (7, 12, 1, 3, 9, 2), strict=True)])


@BOUNDS
@pytest.mark.parametrize("transform", [{}, {"displacement": False}, {"heading": True}], ids=str)
def test_every_bound_of_a_model_without_latents_is_its_density(name, transform):
    model, tracks = made("rnn", **transform), ragged()
    found = vrnn.likelihood(tracks, model=model, bound=name, samples=3, repeats=2)
    scores = vrnn.score(tracks, model=model, particles=1)
    assert found.rows.tolist() == scores.rows.tolist()
    expected = np.array(
        [np.nan if n == 0 else -s * n for s, n in zip(scores.score, scores.rows, strict=True)]
    )
    for values in found.values:
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)
    assert found.per_row == pytest.approx(np.nansum(expected) / scores.rows.sum(), rel=1e-5)
    assert found.standard_error < 1e-6


@pytest.mark.parametrize("kind", [n for n in KINDS if n not in ("rnn", "factorised")])
def test_bounds_rise_with_the_number_of_samples(kind):
    """In expectation ELBO <= IWAE-2 <= IWAE-50 <= log p; each has a standard error."""
    model, tracks = made(kind), walks(6, 6)
    settings = [("elbo", 50), ("iwae", 2), ("iwae", 50), ("fivo", 50)]
    found = [
        vrnn.likelihood(tracks, model=model, bound=name, samples=n, repeats=8)
        for name, n in settings
    ]
    elbo, two, fifty, fivo = found
    slack = 4 * max(f.standard_error for f in found)
    assert elbo.per_row < two.per_row + slack < fifty.per_row + 2 * slack
    assert fivo.per_row > elbo.per_row
    assert all(f.standard_error > 0 for f in found)


@BOUNDS
def test_what_is_counted(name):
    tracks = holed(walks(), (0, slice(0, 3)), (1, slice(5, 7)), (2, slice(None)))
    found = vrnn.likelihood(tracks, model=made("vrnn"), bound=name, samples=4, repeats=3)
    assert found.rows.tolist() == [8, 9, 0, 11, 11, 11] and found.values.shape == (3, 6)
    assert np.isnan(found.values[:, 2]).all() and np.isfinite(np.delete(found.values, 2, 1)).all()
    each = np.nansum(found.values, 1) / 50
    assert found.per_row == pytest.approx(each.mean())
    assert found.standard_error == pytest.approx(each.std(ddof=1) / math.sqrt(3))
    values = found.to_dict()
    assert values["bound"] == name and (values["tracks"], values["rows"]) == (5, 50)
    assert values["log_likelihood"] == found.per_row
    assert values["of"] == "log p(track | its first point)"
    text = found.to_text()
    assert (
        f"{found.per_row:.4f} +- {found.standard_error:.4f} nats per scored row, in data units"
        in text
    )
    assert "lower bound of log p(track | its first point)" in text and name.upper() in text


def test_one_run_has_no_standard_error():
    found = vrnn.likelihood(walks(), model=made("vrnn"), samples=3, repeats=1)
    assert isinstance(found, Likelihood) and math.isnan(found.standard_error)
    assert "+-" not in found.to_text() and "one run" in found.to_text()


def test_the_start_that_a_model_reads_is_not_counted():
    for model, of in (
        (made("rollout"), "log p(future | prefix)"),
        (made("vrnn", heading=True), "the log density"),
    ):
        found = vrnn.likelihood(walks(3), model=model, samples=3)
        assert found.rows.tolist() == [7, 7, 7] and found.of.startswith(of)


@pytest.mark.parametrize("kind", [*SUPERVISED, "binary"])
@BOUNDS
def test_targets_and_keys(kind, name):
    tracks = bits(3) if kind == "binary" else walks(3, y=True)
    found = vrnn.likelihood(tracks, model=made(kind), bound=name, samples=5)
    assert np.isfinite(found.per_row)
    assert found.of == ("log p(track)" if kind == "binary" else "log p(y | x)")
    if kind == "binary":
        assert found.per_row < 0 and found.rows.tolist() == [12] * 3


def test_seeds_and_parts(monkeypatch):
    model, tracks = made("vrnn"), ragged()
    one, two, other = (vrnn.likelihood(tracks, model=model, samples=5, seed=s) for s in (1, 1, 2))
    assert np.array_equal(one.values, two.values, equal_nan=True)
    assert not np.array_equal(one.values, other.values, equal_nan=True)
    rnn = made("rnn")
    whole = vrnn.likelihood(tracks, model=rnn, samples=2)
    monkeypatch.setattr("vrnn.tasks.memory.UNROLLED_ROWS", 30)
    np.testing.assert_allclose(
        vrnn.likelihood(tracks, model=rnn, samples=2).values, whole.values, rtol=1e-6
    )


def test_units_move_a_density_by_their_logarithm():
    """In centimetres the density of a row is 100 times smaller a dimension."""
    values = []
    for factor in (1, 100):
        tracks = vrnn.Tracks([factor * x for x in walks(12).x])
        settings = vrnn.TrainConfig(steps=3, batch_size=8, holdout=0.0)
        model = vrnn.train(
            tracks, config=vrnn.VRNNConfig(2, hidden=6, latent_dim=3), training=settings, quiet=True
        ).model
        values.append(vrnn.likelihood(tracks, model=model, samples=5).per_row)
    assert values[0] - values[1] == pytest.approx(2 * math.log(100), abs=1e-3)


def test_what_is_refused():
    model, tracks = made("vrnn"), walks(2)
    with pytest.raises(
        ConfigError, match=r"bound: expected one of elbo, iwae, fivo, found 'nelbo'"
    ):
        vrnn.likelihood(tracks, model=model, bound="nelbo")
    with pytest.raises(ConfigError, match="samples: expected at least 1, found 0"):
        vrnn.likelihood(tracks, model=model, samples=0)
    with pytest.raises(ConfigError, match="repeats: expected at least 1, found 0"):
        vrnn.likelihood(tracks, model=model, repeats=0)
    with pytest.raises(ConfigError, match="seed"):
        vrnn.likelihood(tracks, model=model, seed=-1)
    with pytest.raises(DataError, match="a track with a scored row"):
        vrnn.likelihood(tracks.cut(stop=1), model=model)
    with pytest.raises(DataError, match="trained with x columns"):
        vrnn.likelihood(np.zeros((2, 5, 3)), model=model)
