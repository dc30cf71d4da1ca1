"""Scores: where they stand, what they add up to, p-values and thresholds by their definition, and what is refused."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
import torch
from tests.helpers.untrained_models import KINDS, SUPERVISED, bits, holed, made, walks

import vrnn
from vrnn.distributions import DiagonalGaussian, Gaussian
from vrnn.errors import ConfigError, DataError
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.step import Belief, TimeStep
from vrnn.inference.unroll import unroll
from vrnn.tasks.score import rank
from vrnn.tasks.scores import Scores, fewest_normal

GAPS = [(0, slice(0, 3)), (1, slice(5, 7)), (2, slice(10, None)), (3, slice(None))]


def of(score: list[float], calibration: list[float] = ()) -> Scores:
    """Scores of tracks of one row."""
    ids = [str(i) for i in range(len(score))]
    rows = [np.array([-s]) for s in score]
    return Scores(ids, [np.zeros(1)] * len(score), rows, rows, rows, np.array(calibration, float))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("displacement", [True, False], ids=["displacement", "positions"])
def test_rows_stand_where_their_points_are(name, displacement):
    """NaN where nothing is scored: missing rows, and under displacement the first point of each track."""
    tracks = holed(walks(), *GAPS)
    model = made(name, displacement=displacement)
    scores = vrnn.score(tracks, model=model, particles=8, ranks=True)
    assert scores.ids == tracks.ids and [len(a) for a in scores.log_prob] == [12] * 6
    for i, x in enumerate(tracks.x):
        there = np.isfinite(x).all(-1)
        expected = there & (np.cumsum(there) > displacement)
        assert np.isfinite(scores.log_prob[i]).tolist() == expected.tolist()
        assert np.isfinite(scores.pit[i]).tolist() == expected.tolist()
        assert ((scores.pit[i][expected] > 0) & (scores.pit[i][expected] < 1)).all()
        assert scores.rows[i] == expected.sum()
        if expected.any():
            assert scores.score[i] == pytest.approx(-scores.log_prob[i][expected].mean())
    assert np.isnan(scores.score[3]) and scores.rows[3] == 0
    assert all(a is b for a, b in zip(scores.times, tracks.times, strict=True))


def test_rows_before_the_first_point_change_nothing():
    """Of a model that draws nothing: the same densities, moved."""
    model, tracks = made("rnn"), walks(3)
    late = vrnn.Tracks([np.concatenate([np.full((4, 2), np.nan), x]) for x in tracks.x])
    plain, moved = (vrnn.score(some, model=model, particles=1).log_prob for some in (tracks, late))
    for a, b in zip(plain, moved, strict=True):
        assert np.isnan(b[:5]).all()
        np.testing.assert_allclose(b[5:], a[1:], rtol=1e-6)


@pytest.mark.parametrize("name", ["rnn", "vrnn", "srnn"])
def test_log_prob_is_that_of_the_filter(name):
    model, tracks = made(name), holed(walks(), *GAPS[:3])
    scores, filtered = (
        verb(tracks, model=model, particles=8, seed=3) for verb in (vrnn.score, vrnn.filter_tracks)
    )
    for a, b in zip(scores.log_prob, filtered.log_prob, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_the_start_that_a_model_reads_is_not_scored():
    tracks = walks(3)
    for model in (made("rollout"), made("vrnn", heading=True)):
        scores = vrnn.score(tracks, model=model, particles=5)
        for a in scores.log_prob:
            assert np.isnan(a[:5]).all() and np.isfinite(a[5:]).all()


@pytest.mark.parametrize("name", SUPERVISED)
def test_supervised_models_score_y(name):
    model, tracks = made(name), walks(3, y=True)
    y = [a.copy() for a in tracks.y]
    y[1][4] = np.nan
    scores = vrnn.score(replace(tracks, y=y), model=model, particles=20)
    assert np.isnan(scores.log_prob[1][4]) and scores.rows.tolist() == [11, 10, 11]
    moved = vrnn.score(replace(tracks, y=[a + 100 for a in tracks.y]), model=model, particles=20)
    assert (moved.score > scores.score + 10).all()


def test_binary_rows_have_log_masses():
    scores = vrnn.score(bits(4), model=made("binary"), particles=1000)
    assert scores.rows.tolist() == [12] * 4
    assert np.concatenate(scores.log_prob).max() < 0.02  # an estimate may be a little over 0


@pytest.mark.parametrize("name", ["rnn", "factorised", "vrnn", "storn"])
def test_the_transform_of_the_models_own_tracks_is_uniform(name):
    model = made(name)
    own = vrnn.generate(model=model, count=80, steps=8, seed=1)

    def ranked(tracks: vrnn.Tracks, seed: int = 0) -> np.ndarray:
        found = vrnn.score(tracks, model=model, particles=50, ranks=True, seed=seed)
        return np.concatenate([pit[1:] for pit in found.pit])

    pit = ranked(own, seed=2)
    assert scipy.stats.kstest(pit, "uniform").pvalue > 1e-3
    far = vrnn.Tracks([x * 5 for x in own.x])
    assert (ranked(far) < 0.05).mean() > 0.5


# p-values and thresholds


def test_p_values_by_their_definition():
    random = np.random.default_rng(0)
    normal, score = random.integers(0, 12, 30) / 2, random.integers(-2, 14, 50) / 2  # with ties
    scores = of([*score, np.inf, np.nan], normal)
    expected = [(1 + sum(c >= s for c in normal)) / 31 for s in [*score, np.inf]]
    np.testing.assert_allclose(scores.p_value[:-1], expected)
    assert np.isnan(scores.p_value[-1]) and np.isnan(of([1.0]).p_value).all()


@pytest.mark.parametrize("count", [9, 19, 40, 99])
@pytest.mark.parametrize("false_alarms", [0.01, 0.05, 0.1, 0.3])
def test_no_more_normal_tracks_are_flagged_than_allowed(count, false_alarms):
    """Of count + 1 tracks any one is as likely to be the new one: each in turn against all others, with and without ties."""
    if count < fewest_normal(false_alarms):
        with pytest.raises(
            ConfigError, match=f"at least {fewest_normal(false_alarms)} calibration tracks"
        ):
            of([1.0], np.zeros(count)).threshold(false_alarms)
        return
    random = np.random.default_rng(count)
    for all_of_them in (
        random.normal(size=count + 1),
        random.integers(0, 5, count + 1).astype(float),
    ):
        flagged = 0
        for i, score in enumerate(all_of_them):
            scores = of([score], np.delete(all_of_them, i))
            flagged += scores.unusual(false_alarms)[0]
            assert scores.unusual(false_alarms)[0] == (scores.p_value[0] <= false_alarms + 1e-12)
        assert flagged <= false_alarms * (count + 1)
    distinct = np.sort(random.normal(size=count))
    assert of([distinct[-1] + 1], distinct).unusual(false_alarms).all()


def test_calibration_is_scored_as_the_tracks_are():
    """By the same filter, with noise of its own: equal for an RNN, which has none, and not for a VRNN."""
    for name in ("rnn", "vrnn"):
        model, normal = made(name), walks(30, seed=5)
        scores = vrnn.score(walks(4), model=model, calibration=normal, particles=10, seed=2)
        again = vrnn.score(normal, model=model, particles=10, seed=2).score
        assert np.allclose(scores.calibration, again) == (name == "rnn")
        assert abs(scores.calibration.mean() - again.mean()) < 0.3
    far = vrnn.Tracks([x * 20 for x in walks(4).x])
    found = vrnn.score(far, model=model, calibration=walks(30, seed=5), particles=10)
    assert found.unusual(0.1).all() and np.allclose(found.p_value, 1 / 31)


def test_normal_tracks_that_the_model_holds_impossible_count():
    """A key half down has no mass: left out of the calibration it would make every threshold too low."""
    impossible = vrnn.Tracks([np.full((12, 2), 0.5)])
    normal = vrnn.concatenate([bits(9), impossible])
    scores = vrnn.score(impossible, model=made("binary"), calibration=normal, particles=5)
    assert len(scores.calibration) == 10 and scores.score.tolist() == [np.inf]
    assert scores.threshold(0.1) == np.inf and not scores.unusual(0.1).any()


def test_thresholds_that_cannot_be():
    for share in (0.0, 1.0, -0.1, 2.0):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            of([1.0], [1.0]).threshold(share)
    with pytest.raises(
        ConfigError, match=r"a calibration set, found none; give vrnn\.score normal tracks"
    ):
        of([1.0]).threshold(0.1)
    with pytest.raises(ConfigError, match=r"at least 9 calibration tracks .* found 8"):
        of([1.0], [0.0] * 8).unusual(0.1)
    assert of([1.0], [0.0] * 9).unusual(0.1).all()


class Walker:
    """A model without latents whose every increment is N(0.5, 1), as `rank` asks it."""

    latent = Gaussian(0)
    observation = Gaussian(1)

    def with_input(self, state, inputs):
        return state

    def emission(self, state):
        return DiagonalGaussian(state[0] * 0 + 0.5, torch.ones_like(state[0]))


@pytest.mark.parametrize("equal", [True, False], ids=["equal weights", "half without weight"])
def test_ranks_after_a_gap_are_those_of_the_sum_of_its_increments(monkeypatch, equal):
    """Particles have drawn N(3, 4) in the gap, so the row is N(3.5, 5), whose rank is known.

    Particles without weight stand elsewhere and do not count.
    """
    monkeypatch.setattr("vrnn.tasks.score.DRAWS", 1000)
    monkeypatch.setattr("vrnn.tasks.score.COMPARED", 1000)
    off = torch.tensor([[-2.0, -1.0, -0.1, 0.5, 1.5]]).T
    count, size, generator = 2000, len(off), seeded(0)
    pending = 3 + 2 * torch.randn(count, size, 1, generator=generator)
    weight = torch.zeros(count, size)
    if not equal:
        pending[: count // 2], weight[: count // 2] = 50.0, -torch.inf
    belief = Belief((torch.zeros(count, size, 1),), pending, weight.log_softmax(0))
    law = scipy.stats.norm(3.5, math.sqrt(5))
    x = 3.5 + math.sqrt(5) * off
    there = torch.ones(size, 1, dtype=torch.bool)
    data = TimeStep(*[torch.zeros(size, 0)] * 3, x, there, torch.zeros(size, 0), False)
    step = SimpleNamespace(before=belief)
    pit, excess = rank(Walker(), step, data, seeded(1))
    farther = 2 * scipy.stats.norm.sf(off[:, 0].abs().numpy())
    np.testing.assert_allclose(pit, farther, atol=0.06)
    expected = -law.entropy() - law.logpdf(x[:, 0].numpy())
    np.testing.assert_allclose(excess, expected, atol=0.25)


# Mixtures


def parts(rng, kinds=3):
    """Scores of two tracks, one with a row that is not scored, under several kinds."""
    gap = np.array([True, False, True, True])
    rows = [[rng.normal(size=3), np.where(gap, rng.normal(size=4), np.nan)] for _ in range(kinds)]
    return [
        Scores(["a", "b"], [np.arange(3.0), np.arange(4.0)], r, r, r, np.zeros(0)) for r in rows
    ]


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 5.0]])
def test_mixture_is_the_law_of_total_probability_row_by_row(weights):
    each = parts(np.random.default_rng(0))
    mixed = vrnn.mixture(each, weights)
    share = np.ones(3) / 3 if weights is None else np.array(weights) / 8
    for i, rows in ((0, [0, 1, 2]), (1, [0, 2, 3])):
        until = [
            sum(
                w * np.exp(p.log_prob[i][rows[:n]]).prod() for w, p in zip(share, each, strict=True)
            )
            for n in range(4)
        ]
        for n, t in enumerate(rows):
            assert mixed.log_prob[i][t] == pytest.approx(np.log(until[n + 1] / until[n]), rel=1e-12)
    told = share * np.exp([p.log_prob[1][0] for p in each])  # which kind the first row speaks for
    means = [p.excess[1][2] + p.log_prob[1][2] for p in each]
    expected = (told * means).sum() / told.sum()
    assert mixed.excess[1][2] == pytest.approx(expected - mixed.log_prob[1][2])
    assert np.isnan(mixed.log_prob[1][1]) and mixed.rows.tolist() == [3, 3]
    assert not mixed.pit and not len(mixed.calibration)


def test_mixture_of_one_kind_is_that_kind_and_impossible_rows_stay_impossible():
    one = parts(np.random.default_rng(1), 1)
    np.testing.assert_allclose(vrnn.mixture(one).score, one[0].score)
    dead = [of([1.0]), of([1.0])]
    for part in dead:
        part.log_prob[0] = np.array([-np.inf])
    assert vrnn.mixture(dead).score.tolist() == [np.inf]


def test_mixture_refuses():
    each = parts(np.random.default_rng(2))
    with pytest.raises(DataError, match="scores under at least one kind, found none"):
        vrnn.mixture([])
    with pytest.raises(DataError, match="these differ"):
        vrnn.mixture([each[0], of([1.0])])
    for weights in ([1.0], [1.0, 0.0, 2.0], [1.0, -1.0, 2.0], [1.0, float("nan"), 2.0]):
        with pytest.raises(ConfigError, match="expected 3 positive weights"):
            vrnn.mixture(each, weights)


@pytest.mark.parametrize("name", ["rnn", "vrnn"])
def test_what_is_expected_is_the_mean_of_the_models_own_next_rows(name):
    """Of an RNN that is minus the entropy of its emission; and the excess of tracks the model drew itself is 0 on average."""
    model = made(name, displacement=False)
    if name == "rnn":
        tracks = walks(3)
        found = [vrnn.score(tracks, model=model, ranks=True, seed=s) for s in range(8)]
        batch = model.preprocessor.batch(tracks)[0].to(next(model.network.parameters()))
        noise = draw_noise(model.network, 1, 3, 12, seeded(0), observations=False)
        emission = unroll(model.network, batch, noise).emission
        law = torch.distributions.MultivariateNormal(
            emission.mean[0], scale_tril=emission.cholesky[0]
        )
        exact = -law.entropy() + batch.log_jacobian_per_step
        expected = np.mean([np.stack(f.excess) + np.stack(f.log_prob) for f in found], 0)
        np.testing.assert_allclose(expected, exact.detach().numpy(), atol=0.2)
        assert abs(np.mean(expected - exact.detach().numpy())) < 0.03
    own = vrnn.generate(model=model, count=80, steps=10, seed=1)
    scores = vrnn.score(own, model=model, particles=60, by="excess")
    rows = np.concatenate(scores.excess)
    assert abs(rows.mean()) < 4 * rows.std() / np.sqrt(len(rows)) + 0.03
    np.testing.assert_allclose(scores.score, [np.mean(e) for e in scores.excess])


def test_the_calibration_goes_by_excess_too():
    model, tracks = made("vrnn"), walks(4)
    found = vrnn.score(
        tracks, model=model, calibration=walks(20, seed=5), particles=10, by="excess"
    )
    plain = vrnn.score(walks(20, seed=5), model=model, particles=10, by="excess")
    assert found.by == "excess" and abs(found.calibration.mean() - plain.score.mean()) < 0.3
    with pytest.raises(ConfigError, match="density or excess, found 'surprise'"):
        vrnn.score(tracks, model=model, by="surprise")
    with pytest.raises(DataError, match="of one sort: found density and excess"):
        vrnn.mixture(
            [
                vrnn.score(tracks, model=model, particles=2),
                vrnn.score(tracks, model=model, particles=2, by="excess"),
            ]
        )


def test_against_counts_among_scored_tracks():
    found = of([1.0, 3.0]).against(of([0.0, 2.0, 4.0]))
    assert found.p_value.tolist() == [3 / 4, 2 / 4]
    with pytest.raises(DataError, match="expected calibration tracks with a scored row"):
        found.against(of([float("nan")]))
    with pytest.raises(DataError, match="scored by density like the tracks, found one by excess"):
        found.against(replace(of([1.0]), by="excess"))


# Files, seeds and refusals


@pytest.mark.parametrize("ending", [".csv", ".npz", ".parquet"])
def test_tables(tmp_path, ending):
    scores = vrnn.score(
        holed(walks(), *GAPS),
        model=made("vrnn"),
        calibration=walks(20, seed=5),
        particles=5,
        seed=1,
        ranks=True,
    )
    path = scores.save(tmp_path / f"s{ending}", tmp_path / f"r{ending}", false_alarms=0.1)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"r{ending}", f"s{ending}"]
    transform = scores.to_frame(0.1)
    assert list(transform.columns) == ["id", "rows", "score", "p_value", "unusual"]
    assert list(scores.to_frame().columns) == ["id", "rows", "score", "p_value"]
    assert (
        transform["unusual"].tolist()
        == (np.nan_to_num(scores.p_value, nan=1) <= 0.1).astype(int).tolist()
    )
    rows = scores.row_columns()
    assert list(rows) == ["id", "t", "log_prob", "pit", "excess"] and len(rows["t"]) == 6 * 12
    if ending == ".csv":
        back = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding=None)
        assert back["id"].tolist() == scores.ids
        np.testing.assert_array_equal(back["score"], scores.score)
    elif ending == ".npz":
        with np.load(tmp_path / "r.npz", allow_pickle=False) as back:
            np.testing.assert_array_equal(back["log_prob"], rows["log_prob"])
    else:
        import pandas

        np.testing.assert_array_equal(pandas.read_parquet(path)["p_value"], scores.p_value)
    plain = vrnn.score(walks(2), model=made("vrnn"), particles=5)
    assert list(plain.to_columns()) == ["id", "rows", "score"]
    assert list(plain.row_columns()) == ["id", "t", "log_prob"]
    assert repr(plain) == "Scores(2 tracks)" and "p-values among 20" in repr(scores)


def test_nothing_is_written_for_a_threshold_that_cannot_be(tmp_path):
    scores = vrnn.score(walks(2), model=made("vrnn"), calibration=walks(5), particles=5)
    with pytest.raises(ConfigError, match="at least 99"):
        scores.save(tmp_path / "s.csv", tmp_path / "r.csv", false_alarms=0.01)
    assert not list(tmp_path.iterdir())


def test_seeds():
    model = made("vrnn")
    one, two, other = (
        vrnn.score(walks(), model=model, particles=5, seed=s, ranks=True) for s in (1, 1, 2)
    )
    plain = vrnn.score(walks(), model=model, particles=5, seed=1)
    assert np.array_equal(plain.score, one.score) and not plain.pit, "ranks draw noise of their own"
    assert np.array_equal(one.score, two.score) and not np.array_equal(one.score, other.score)
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one.pit, two.pit, strict=True))


def test_tracks_in_parts(monkeypatch):
    model, tracks = made("rnn"), walks(5)
    whole = vrnn.score(tracks, model=model, particles=4)
    monkeypatch.setattr("vrnn.tasks.memory.RANKED_DENSITIES", 64)
    parts = vrnn.score(tracks, model=model, particles=4)
    np.testing.assert_allclose(parts.score, whole.score, rtol=1e-6)


def test_arrays_and_what_is_refused():
    model, tracks = made("vrnn"), walks(2)
    array = np.stack(tracks.x)
    np.testing.assert_array_equal(
        vrnn.score(array, model=model, particles=5).score,
        vrnn.score(tracks.rename(["0", "1"]), model=model, particles=5).score,
    )
    assert vrnn.score(array[0], model=model, particles=5).ids == ["0"]
    with pytest.raises(DataError, match="trained with x columns"):
        vrnn.score(np.zeros((2, 5, 3)), model=model)
    with pytest.raises(DataError, match="found none"):
        vrnn.score(tracks[:0], model=model)
    with pytest.raises(DataError, match=r"read it with vrnn\.read_tracks"):
        vrnn.score("walks.csv", model=model)
    with pytest.raises(ConfigError, match="particles: expected at least 1, found 0"):
        vrnn.score(tracks, model=model, particles=0)
    with pytest.raises(ConfigError, match="seed"):
        vrnn.score(tracks, model=model, seed=-1)
    with pytest.raises(DataError, match="calibration tracks with a scored row"):
        vrnn.score(tracks, model=model, calibration=tracks.cut(stop=1))
