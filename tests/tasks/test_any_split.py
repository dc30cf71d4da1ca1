"""What a task says of a track depends on its id and the seed, and not on the tracks beside it."""

import numpy as np
import pytest
from tests.helpers.few import few
from tests.helpers.untrained_models import KINDS, SUPERVISED, holed, made, walks

import vrnn
from vrnn.tasks import memory

IMPUTES = [name for name in KINDS if name != "same"]


def uneven(y: bool = False) -> vrnn.Tracks:
    """Six walks of 12 to 7 rows, two of them with missing rows."""
    tracks = walks(6, y=y)
    cut = [np.arange(12 - i) for i in range(6)]
    return holed(tracks.take_rows(cut), (1, slice(3, 5)), (4, slice(5, 6)))


def check(task, tracks: vrnn.Tracks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare a task's arrays of all tracks with those of a part, and of one track at a time."""
    whole = task(tracks)
    order = [4, 1, 2]
    for a, b in zip(task(tracks[order]), [whole[i] for i in order], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    for name in ("PATHS", "UNROLLED_ROWS", "ENCODED_ROWS", "RANKED_DENSITIES"):
        monkeypatch.setattr(memory, name, 1)
    for a, b in zip(task(tracks), whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [*KINDS, "rollout"])
@pytest.mark.parametrize("qmc", [False, True], ids=["independent", "quasi-random"])
def test_forecast(name, qmc, monkeypatch):
    def task(tracks):
        found = vrnn.forecast(tracks, model=made(name), horizon=4, samples=6, qmc=qmc)
        return list(found.samples.swapaxes(0, 1))

    check(task, uneven(), monkeypatch)


@pytest.mark.parametrize("name", KINDS)
def test_a_forecast_of_a_belief(name, monkeypatch):
    def task(tracks):
        belief = vrnn.filter_tracks(tracks, model=made(name), particles=8).belief
        found = vrnn.forecast(belief, model=made(name), horizon=4, samples=6)
        return list(found.samples.swapaxes(0, 1))

    check(task, uneven(), monkeypatch)


@pytest.mark.parametrize("name", [*KINDS, *SUPERVISED])
def test_score(name, monkeypatch):
    def task(tracks):
        found = vrnn.score(tracks, model=made(name), particles=8, ranks=True)
        return [*map(np.stack, zip(found.log_prob, found.pit, found.excess, strict=True))]

    check(task, uneven(y=name in SUPERVISED), monkeypatch)


@pytest.mark.parametrize("bound", ["elbo", "iwae", "fivo"])
@pytest.mark.parametrize("name", few(["vrnn", *(n for n in KINDS if n != "vrnn")], 5))
def test_likelihood(name, bound, monkeypatch):
    def task(tracks):
        return list(vrnn.likelihood(tracks, model=made(name), bound=bound, samples=5).values.T)

    check(task, uneven(), monkeypatch)


@pytest.mark.parametrize("name", IMPUTES)
@pytest.mark.parametrize("sweeps", [0, 1])
def test_impute(name, sweeps, monkeypatch):
    def task(tracks):
        settings = {"samples": 4, "particles": 12, "sweeps": sweeps}
        return [paths[:] for paths in vrnn.impute(tracks, model=made(name), **settings).samples]

    check(task, uneven(), monkeypatch)


@pytest.mark.parametrize("name", ["seq2seq", "vrnn", "dmm", "rssm", "autoencoder"])
def test_encode(name, monkeypatch):
    check(lambda tracks: vrnn.encode(tracks, model=made(name)).tables, uneven(), monkeypatch)


def test_fewer_tracks_that_are_generated_are_the_first_of_more():
    few_, more = (vrnn.generate(model=made("vrnn"), count=n, steps=6) for n in (2, 5))
    for a, b in zip(few_.x, more.x, strict=False):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_fewer_samples_are_the_first_of_more():
    for name in ("vrnn", "dmm"):
        few_, more = (
            vrnn.forecast(walks(3), model=made(name), horizon=4, samples=n).samples for n in (3, 8)
        )
        np.testing.assert_allclose(few_, more[:3], rtol=1e-5)
