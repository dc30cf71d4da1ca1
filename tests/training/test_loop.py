"""Training: it learns what can be learnt, refuses what cannot work, and a killed run ends with the same bits."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from safetensors.torch import load_file
from tests.training.runs import CONFIG, SETTINGS, small_run, walks
from torch.optim.optimizer import register_optimizer_step_pre_hook

import vrnn
from vrnn.data.synthetic import ConstantVelocityWalk
from vrnn.data.tracks import concatenate
from vrnn.errors import ConfigError, DataError, NonFiniteError, RunFolderError
from vrnn.kernels.native import library
from vrnn.training.checkpoint import load_checkpoint
from vrnn.training.prepare import prepare
from vrnn.training.trackers import best_record, read_metrics

RUNS = Path(__file__).with_name("runs.py")
RNN = vrnn.RNNConfig(2, hidden=8)
QUICK = vrnn.TrainConfig(steps=4, batch_size=8, validate_every=2, log_every=1, warmup=0)


def timeless(records: list[dict]) -> list[dict]:
    return [{k: v for k, v in r.items() if k != "seconds"} for r in records]


# Learning


@pytest.mark.parametrize(
    "config",
    [
        vrnn.RNNConfig(1, hidden=16),
        vrnn.VRNNConfig(1, hidden=16, latent_dim=2, emission="gaussian"),
    ],
    ids=["rnn", "vrnn"],
)
def test_linear_process_is_learnt_to_its_entropy(config):
    """The noise in a position shows twice, so increments are correlated and white noise does not do."""
    world = ConstantVelocityWalk(drift=0.1, noise=0.5, velocity=0.5, dim=1)
    rows, difference = 12, np.diff(np.eye(12), axis=0)
    law = scipy.stats.multivariate_normal(cov=difference @ world.covariance(rows) @ difference.T)
    train, val = world.sample(1500, rows, seed=0), world.sample(500, rows, seed=1)
    increments = np.diff(np.stack(val.x)[..., 0], axis=1)
    best = law.logpdf(increments).mean() / (rows - 1)
    plain = scipy.stats.norm(0, increments.std()).logpdf(increments).mean()
    settings = vrnn.TrainConfig(steps=350, learning_rate=1e-2, warmup=20, validate_every=350)
    run = vrnn.train(train, config=config, training=settings, val=val, quiet=True)
    found = run.history[-1]["val_bound"]
    assert plain < best - 0.15  # there is something to learn
    assert best - 0.04 < found < best + 0.01
    assert run.history[0]["loss"] > run.history[-1]["loss"]


def noisy_autoregression(count: int, seed: int, rows: int = 12) -> tuple[vrnn.Tracks, np.ndarray]:
    """z_t = 0.9 z_{t-1} + 0.5 e_t, x_t = z_t + 0.4 e'_t from z_0 = 0: tracks and the exact covariance of their rows."""
    random = np.random.default_rng(seed)
    path = 0.5 * np.linalg.inv(np.eye(rows) - 0.9 * np.eye(rows, k=-1))
    x = random.normal(size=(count, rows)) @ path.T + 0.4 * random.normal(size=(count, rows))
    return vrnn.Tracks(list(x[..., None])), path @ path.T + 0.16 * np.eye(rows)


@pytest.mark.parametrize("config", [vrnn.DMMConfig, vrnn.SRNNConfig, vrnn.STORNConfig])
def test_noisy_autoregression_is_learnt_to_its_entropy(config):
    """The bound comes this close only where the posterior does too; none of the three is given its exact form."""
    (train, _), (val, covariance) = noisy_autoregression(1500, 0), noisy_autoregression(500, 1)
    values = np.stack(val.x)[..., 0]
    best = scipy.stats.multivariate_normal(cov=covariance).logpdf(values).mean() / 12
    plain = scipy.stats.norm(0, values.std()).logpdf(values).mean()
    settings = vrnn.TrainConfig(
        steps=250,
        learning_rate=1e-2,
        warmup=20,
        kl_warmup=100,
        validate_every=250,
        transform=vrnn.TransformConfig(displacement=False),
    )
    run = vrnn.train(
        train, config=config(1, hidden=16, latent_dim=2), training=settings, val=val, quiet=True
    )
    assert plain < best - 0.3
    assert best - 0.04 < run.history[-1]["val_bound"] < best + 0.01


# Which weights are kept


def test_validation_begins_anew_when_futures_are_drawn(tmp_path):
    """A bound alone and a bound with a score are two quantities, of which only the second is compared from then on."""
    settings = replace(SETTINGS, validate_every=2, energy_weight=50.0)
    run = vrnn.train(walks(), config=CONFIG, training=settings, out=tmp_path / "run", quiet=True)
    validated = [r for r in run.history if "val_bound" in r]
    assert ["val_score" in r for r in validated] == [r["step"] > 4 for r in validated]
    best = best_record(run.history, 50.0)
    assert (
        best["val_bound"] - 50 * best["val_score"] < validated[0]["val_bound"]
    )  # which would have stayed the best
    assert load_checkpoint(tmp_path / "run").progress["best_step"] == best["step"] > 4


def test_training_does_not_stop_before_futures_are_drawn():
    settings = replace(
        SETTINGS, steps=40, validate_every=1, patience=1, learning_rate=0.3, warmup=0
    )
    stopped = vrnn.train(
        walks(), config=CONFIG, training=replace(settings, energy_weight=0.0), quiet=True
    ).history
    assert stopped[-1]["step"] < settings.first_future
    history = vrnn.train(walks(), config=CONFIG, training=settings, quiet=True).history
    assert settings.first_future < history[-1]["step"] < 40


def test_best_weights_are_those_of_the_best_step_and_no_alias():
    train, val = walks(8, seed=1), walks(40, seed=2)
    settings = vrnn.TrainConfig(
        steps=120,
        batch_size=8,
        learning_rate=0.02,
        schedule="constant",
        warmup=0,
        validate_every=10,
    )
    config = vrnn.RNNConfig(2, hidden=32)
    run = vrnn.train(train, config=config, training=settings, val=val, quiet=True)
    values = {r["step"]: r["val_bound"] for r in run.history if "val_bound" in r}
    best = max(values, key=values.__getitem__)
    assert best < 120 and values[120] < values[best] - 0.1  # it overfits
    short = vrnn.train(
        train, config=config, training=replace(settings, steps=best), val=val, quiet=True
    )
    assert short.history[-1]["val_bound"] == values[best]
    for name, value in short.model.network.state_dict().items():
        assert torch.equal(value, run.model.network.state_dict()[name]), name


def test_without_validation_the_last_weights_are_kept():
    settings = replace(QUICK, holdout=0.0)
    run = vrnn.train(walks(), config=RNN, training=settings, quiet=True)
    assert not any("val_bound" in r for r in run.history) and run.report is None
    start = vrnn.train(
        walks(), config=RNN, training=replace(settings, learning_rate=1e-30), quiet=True
    )
    weights = zip(run.model.network.parameters(), start.model.network.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in weights)


def test_validation_tracks_given_or_held_out(capsys):
    run = vrnn.train(walks(30), config=RNN, training=QUICK)
    assert "3 of 30 tracks are held out for validation" in capsys.readouterr().err
    assert "val_bound" in run.history[-1]
    val = walks(9, seed=9)[[1, 2, 3, 5, 6, 7]]  # those without gaps
    given = vrnn.train(walks(30), config=RNN, training=QUICK, val=val)
    assert "held out" not in capsys.readouterr().err
    assert given.history[-1]["val_bound"] != run.history[-1]["val_bound"]
    ten = vrnn.train(
        walks(30), config=RNN, training=QUICK, val=concatenate([val] * 10), quiet=True
    )  # no error is counted twice
    assert ten.history[-1]["val_bound"] == pytest.approx(given.history[-1]["val_bound"], abs=1e-5)


def test_early_stopping():
    settings = replace(QUICK, steps=100, patience=3, learning_rate=1e-30)  # weights that never move
    run = vrnn.train(walks(), config=RNN, training=settings, quiet=True)
    assert run.history[-1]["step"] == 2 * (1 + 3)


# One step


def test_gradient_is_clipped_before_the_step():
    norms = []

    def look(optimiser, args, kwargs) -> None:
        gradients = [p.grad for group in optimiser.param_groups for p in group["params"]]
        norms.append(float(torch.linalg.vector_norm(torch.stack([g.norm() for g in gradients]))))

    hook = register_optimizer_step_pre_hook(look)
    try:
        run = vrnn.train(walks(), config=RNN, training=replace(QUICK, clip=1e-3), quiet=True)
    finally:
        hook.remove()
    assert len(norms) == 4 and max(norms) <= 1e-3 * (1 + 1e-4)
    assert min(r["gradient_norm"] for r in run.history) > 1e-2  # reported as it was before


def test_loss_is_per_observed_row_and_adds_up():
    run = vrnn.train(walks(), config=CONFIG, training=replace(SETTINGS, free_bits=0.1), quiet=True)
    for record in run.history:
        future = SETTINGS.energy_weight * record.get("score", 0.0)
        assert record["loss"] == pytest.approx(record["nll"] + record["penalty"] + future, rel=1e-5)
    assert ["score" in record for record in run.history] == [
        record["step"] > 4 for record in run.history
    ]
    assert [r["kl_weight"] for r in run.history[:7]] == pytest.approx(
        [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1, 1]
    )


def test_learning_rate_rises_and_falls():
    rates = [
        r["learning_rate"]
        for r in vrnn.train(walks(), config=CONFIG, training=SETTINGS, quiet=True).history
    ]
    assert rates[:4] == pytest.approx([1e-2 / 4, 2e-2 / 4, 3e-2 / 4, 1e-2])
    assert all(a > b for a, b in pairwise(rates[3:])) and rates[-1] < 1e-3
    constant = vrnn.train(
        walks(),
        config=CONFIG,
        training=replace(SETTINGS, schedule="constant", warmup=0),
        quiet=True,
    )
    assert {r["learning_rate"] for r in constant.history} == {1e-2}


def test_training_leaves_the_global_generators_alone():
    torch.manual_seed(0), np.random.seed(0)
    expected = torch.rand(1), np.random.rand()
    torch.manual_seed(0), np.random.seed(0)
    vrnn.train(walks(), config=RNN, training=QUICK, quiet=True)
    assert torch.equal(torch.rand(1), expected[0]) and np.random.rand() == expected[1]


def test_seed_decides_everything():
    first, again, other = (
        timeless(
            vrnn.train(
                walks(), config=CONFIG, training=replace(SETTINGS, seed=s), quiet=True
            ).history
        )
        for s in (0, 0, 1)
    )
    assert first == again and first[0]["loss"] != other[0]["loss"]


# What is refused


@pytest.mark.parametrize(
    "size, what",
    [(1e25, "log-likelihood of track 7 is"), (3e18, "gradient of the loss of track 7 is")],
)
def test_loss_that_is_not_finite_names_its_step_term_and_track(size, what):
    tracks = walks()
    tracks.x[7][4] = size
    transform = vrnn.TransformConfig(standardise=False)
    with pytest.raises(NonFiniteError, match=f"step 0: the {what} not finite"):
        vrnn.train(
            tracks,
            config=RNN,
            training=replace(QUICK, batch_size=30, holdout=0.0, transform=transform),
            quiet=True,
        )


def test_validation_that_is_not_finite_names_the_validation_track():
    val = walks(5, seed=1).rename(list("abcde"))
    val.x[3][4] = 1e25
    transform = vrnn.TransformConfig(standardise=False)
    with pytest.raises(NonFiniteError, match="step 2: the log-likelihood of track d is not finite"):
        vrnn.train(
            walks(), config=RNN, training=replace(QUICK, transform=transform), val=val, quiet=True
        )


def test_settings_that_cannot_work():
    with pytest.raises(ConfigError, match=r"x_dim=3 and the tracks have 2 columns of x \(x, y\)"):
        vrnn.train(walks(), config=vrnn.RNNConfig(3), training=QUICK)
    with pytest.raises(ConfigError, match="set observe to its number of points"):
        vrnn.train(walks(), config=vrnn.RolloutVAEConfig(2), training=QUICK)
    with pytest.raises(ConfigError, match="needs a target"):
        vrnn.train(walks(), config=vrnn.RNNConfig(2, supervised=True), training=QUICK)
    with pytest.raises(ConfigError, match="stopping early needs validation tracks"):
        vrnn.train(walks(5), config=RNN, training=replace(QUICK, patience=2))
    with pytest.raises(
        ConfigError,
        match=r"augmentation turns, scales and jitters the first two columns of x: .* found x0",
    ):
        one = vrnn.Tracks([x[:, :1] for x in walks().x])
        vrnn.train(
            one,
            config=vrnn.RNNConfig(1),
            training=replace(QUICK, augment=vrnn.AugmentConfig(flip=True)),
        )


def test_augmentation_ends_where_told():
    """With `until` 0 nothing is changed; with a half, the first half of the steps are those of an augmented run."""
    half, whole, none, never = (
        timeless(
            vrnn.train(
                walks(), config=CONFIG, training=replace(SETTINGS, augment=augment), quiet=True
            ).history
        )
        for augment in (
            replace(SETTINGS.augment, until=0.5),
            SETTINGS.augment,
            replace(SETTINGS.augment, until=0.0),
            vrnn.AugmentConfig(),
        )
    )
    middle = SETTINGS.steps // 2
    assert none == never and half[:middle] == whole[:middle] and half[middle:] != whole[middle:]


def test_copies_at_other_rates_join_the_training_and_not_the_validation():
    tracks, val = walks(12, rows=21), walks(4, rows=21, seed=1)
    augment = vrnn.AugmentConfig(rates=(1.0, 2.0))
    settings = replace(QUICK, augment=augment)
    ready = prepare(RNN, tracks, settings, val)
    assert len(ready.train) == 24 and len(ready.val) == 4
    np.testing.assert_array_equal(ready.train.x[12], tracks.x[0][::2])
    np.testing.assert_allclose(np.diff(ready.train.times[12]), np.diff(tracks.times[0])[0])
    assert (
        vrnn.train(tracks, config=RNN, training=settings, val=val, quiet=True).history[-1][
            "val_bound"
        ]
        < 0
    )


def test_rates_are_of_continuous_columns():
    tracks = vrnn.Tracks([np.zeros((5, 2))])
    with pytest.raises(ConfigError, match=r"augment\.rates interpolates"):
        vrnn.train(
            tracks,
            config=vrnn.RNNConfig(2, emission="bernoulli"),
            training=replace(
                QUICK,
                transform=vrnn.TransformConfig(displacement=False),
                augment=vrnn.AugmentConfig(rates=(1.0, 2.0)),
            ),
        )


def test_transposition_is_of_binary_columns():
    with pytest.raises(
        ConfigError,
        match=r"augment.transpose shifts the keys .*: expected every column to be binary",
    ):
        vrnn.train(
            walks(), config=RNN, training=replace(QUICK, augment=vrnn.AugmentConfig(transpose=3))
        )


@pytest.mark.parametrize(
    "change, message",
    [
        ({"objective": "vimco"}, "objective: expected elbo, iwae or fivo, found 'vimco'"),
        (
            {"objective": "iwae"},
            "iwae is a bound by several samples: expected samples of at least 2, found 1",
        ),
        (
            {"objective": "fivo", "samples": 4, "free_bits": 0.1},
            "free_bits change the KL of the elbo",
        ),
        ({"resampling_term": True}, "resampling_term belongs to fivo, found objective 'elbo'"),
        ({"kernel": "fast"}, "kernel: expected auto, plain or native, found 'fast'"),
        ({"kernel": "plain", "objective": "fivo", "samples": 4}, "kernel belongs to elbo and iwae"),
        ({"resample_below": 1.5}, "expected resample_below from 0 to 1, found 1.5"),
    ],
)
def test_settings_of_the_objective_that_cannot_work_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        replace(SETTINGS, **change)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"rates": (1.0, 0.0)}, "augment.rates as positive factors"),
        ({"rates": ()}, "augment.rates as positive factors"),
        ({"speed": (2.0, 1.0)}, "augment.speed as two rising positive factors"),
        ({"transpose": -1}, "expected augment.transpose of at least 0, found -1"),
        ({"share": 1.5}, "expected augment.share from 0 to 1, found 1.5"),
        ({"until": -0.5}, "expected augment.until from 0 to 1, found -0.5"),
    ],
)
def test_changes_of_tracks_that_cannot_be_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        vrnn.AugmentConfig(**change)


@pytest.mark.parametrize("objective", ["iwae", "fivo"])
def test_other_bounds_are_maximised(objective):
    """Training by a tighter bound raises it, and resumes and validates by the same bound."""
    settings = replace(
        SETTINGS, objective=objective, samples=3, steps=60, validate_every=30, kl_warmup=0
    )
    run = vrnn.train(walks(), config=CONFIG, training=settings, quiet=True)
    values = [r["val_bound"] for r in run.history if "val_bound" in r]
    assert run.history[0]["bound"] + 0.3 < values[-1]


@pytest.mark.parametrize(
    ("config", "changes", "message"),
    [
        (RNN, {"kernel": "native"}, "found RNN: leave kernel auto"),
        (replace(CONFIG, depth=2), {"kernel": "native"}, "of depth 1"),
        (
            CONFIG,
            {
                "transform": vrnn.TransformConfig(geographic="km"),
                "augment": vrnn.AugmentConfig(rates=(0.5,)),
            },
            "180 degrees",
        ),
    ],
)
def test_kernels_and_rates_that_do_not_fit_are_refused_before_training(config, changes, message):
    tracks = walks(4)
    if "transform" in changes:
        tracks = replace(tracks, x_names=("lat", "lon"))
    with pytest.raises(ConfigError, match=message):
        vrnn.train(tracks, config=config, training=replace(QUICK, **changes), quiet=True)


@pytest.mark.skipif(library() is None, reason="no C++ compiler")
def test_the_kernel_changes_the_time_and_not_the_training():
    tracks = walks(40)
    runs = [
        vrnn.train(tracks, config=CONFIG, training=replace(QUICK, kernel=kernel), quiet=True)
        for kernel in ("plain", "native")
    ]
    for plain, native in zip(*(run.history for run in runs), strict=True):
        assert native["loss"] == pytest.approx(plain["loss"], rel=1e-4)


def test_fivo_claims_no_bound_while_the_kl_is_raised():
    settings = replace(SETTINGS, objective="fivo", samples=2, steps=6, kl_warmup=4, log_every=1)
    found = [
        r["bound"] is None
        for r in vrnn.train(walks(), config=CONFIG, training=settings, quiet=True).history
    ]
    assert found == [True] * 3 + [False] * 3
    with pytest.raises(DataError, match="found none"):
        vrnn.train(vrnn.Tracks([]), config=RNN, training=QUICK)
    with pytest.raises(
        DataError,
        match=r"training tracks: .*run of 40 consecutive complete rows.*or train on whole tracks",
    ):
        vrnn.train(walks(), config=RNN, training=replace(QUICK, window=40))
    with pytest.raises(DataError, match="no training track has enough usable rows"):
        vrnn.train(vrnn.Tracks([np.ones((1, 2))] * 3), config=RNN, training=QUICK)


# Killing and resuming


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The folder of a run that nobody interrupted."""
    out = tmp_path_factory.mktemp("whole") / "run"
    small_run(out)
    return out


def assert_same_run(found: Path, expected: Path) -> None:
    """Equal weights, best weights, optimiser and progress to the bit, and metrics without a break."""
    for name in ("model.safetensors", "training.safetensors"):
        a, b = load_file(found / name), load_file(expected / name)
        assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a), name
    assert load_checkpoint(found).progress == load_checkpoint(expected).progress
    records = read_metrics(found / "metrics.jsonl")
    assert timeless(records) == timeless(read_metrics(expected / "metrics.jsonl"))
    assert [r["step"] for r in records] == list(range(1, SETTINGS.steps + 1))


def kill_at(out: Path, moment: str, count: int) -> None:
    done = subprocess.run(
        [sys.executable, RUNS, out, moment, str(count)], capture_output=True, cwd=RUNS.parents[2]
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def test_killed_run_resumes_to_the_same_bits(whole, tmp_path):
    out = tmp_path / "run"
    kill_at(out, "step", 7)
    assert (
        load_checkpoint(out).progress["step"] == 4 and len(read_metrics(out / "metrics.jsonl")) == 7
    )
    small_run(out, resume=True)
    assert_same_run(out, whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment, count",
    [
        ("step", 1),
        ("step", 4),
        ("step", 12),
        *((m, c) for c in range(2, 9) for m in ("before", "after")),
    ],
)
def test_run_killed_at_any_moment_resumes_to_the_same_bits(whole, tmp_path, moment, count):
    """Files take their names in this order: config, metrics, then weights and state of each of three validations."""
    out = tmp_path / "run"
    kill_at(out, moment, count)
    small_run(out, resume=True)
    assert_same_run(out, whole)


@pytest.mark.slow
def test_run_killed_again_and_again_ends_with_the_same_bits(whole, tmp_path):
    out, kills = tmp_path / "run", 0
    script = "import sys, torch; torch.set_num_threads(1)\n" + (
        "from pathlib import Path; from tests.training.runs import small_run; import time\n"
        "class Slow:\n    def log(self, record): time.sleep(0.1)\n"
        "small_run(Path(sys.argv[1]), resume=Path(sys.argv[1], 'config.json').exists(), tracker=Slow())"
    )
    for wait in np.random.default_rng(0).uniform(0.0, 0.6, 6):
        running = subprocess.Popen([sys.executable, "-c", script, out], cwd=RUNS.parents[2])
        metrics = out / "metrics.jsonl"
        before = metrics.stat().st_mtime_ns if metrics.exists() else None
        while running.poll() is None and (
            not metrics.exists() or metrics.stat().st_mtime_ns == before
        ):
            time.sleep(0.01)
        time.sleep(wait)
        kills += running.poll() is None
        running.kill()
        running.wait()
    assert kills > 3
    small_run(out, resume=True)
    assert_same_run(out, whole)


@pytest.mark.slow
def test_run_killed_before_it_had_a_config_starts_again(whole, tmp_path):
    out = tmp_path / "run"
    kill_at(out, "before", 1)
    with pytest.raises(RunFolderError, match="nothing to resume"):
        small_run(out, resume=True)
    small_run(out)
    assert_same_run(out, whole)


def test_interrupt_from_the_keyboard_resumes_too(whole, tmp_path):
    class Interrupt:
        def log(self, record) -> None:
            if record["step"] == 6:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small_run(tmp_path / "run", tracker=Interrupt())
    small_run(tmp_path / "run", resume=True)
    assert_same_run(tmp_path / "run", whole)


def test_finished_run_resumes_to_itself(whole, tmp_path):
    import shutil

    shutil.copytree(whole, tmp_path / "run")
    run = small_run(tmp_path / "run", resume=True)
    assert_same_run(tmp_path / "run", whole)
    for name, value in vrnn.load(whole).network.state_dict().items():
        assert torch.equal(run.model.network.state_dict()[name], value)


def test_stopped_run_stays_stopped(tmp_path):
    settings = replace(QUICK, steps=100, patience=1, learning_rate=1e-30)
    vrnn.train(walks(), config=RNN, training=settings, out=tmp_path / "a", quiet=True)
    again = vrnn.train(
        walks(), config=RNN, training=settings, out=tmp_path / "a", resume=True, quiet=True
    )
    assert not again.history and read_metrics(tmp_path / "a" / "metrics.jsonl")[-1]["step"] == 4


def test_run_folder_gives_the_weights_that_train_gave(tmp_path):
    run = small_run(tmp_path / "a")
    for name, value in vrnn.load(tmp_path / "a").network.state_dict().items():
        assert torch.equal(run.model.network.state_dict()[name], value)
    assert timeless(run.history) == timeless(read_metrics(tmp_path / "a" / "metrics.jsonl"))


def test_refusals_of_run_folders(whole, tmp_path):
    with pytest.raises(
        RunFolderError, match="holds a run already; resume it, or choose another folder"
    ):
        small_run(whole)
    with pytest.raises(RunFolderError, match=r"nothing to resume, it has no config\.json"):
        small_run(tmp_path / "none", resume=True)
    with pytest.raises(RunFolderError, match="name its folder with out"):
        vrnn.train(walks(), config=CONFIG, training=SETTINGS, resume=True)
    with pytest.raises(RunFolderError, match="the data is not what the run was trained on"):
        vrnn.train(walks(seed=1), config=CONFIG, training=SETTINGS, out=whole, resume=True)
    with pytest.raises(RunFolderError, match=r"changed: model\.hidden, training\.learning_rate"):
        vrnn.train(
            walks(),
            config=replace(CONFIG, hidden=9),
            training=replace(SETTINGS, learning_rate=0.5),
            out=whole,
            resume=True,
        )
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="expected a folder for the run, found a file"):
        small_run(tmp_path / "file")


def test_metrics_file_with_a_line_cut_short_is_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps({"step": 1}) + "\n" + '{"step": 2, "lo')
    assert read_metrics(path) == [{"step": 1}] and read_metrics(tmp_path / "none") == []


def test_a_gradient_that_is_not_finite_is_blamed_on_the_steepest_track(monkeypatch):
    from accelerate import Accelerator

    monkeypatch.setattr(Accelerator, "clip_grad_norm_", lambda *_: torch.tensor(float("nan")))
    tracks = vrnn.Tracks(
        [
            *np.random.default_rng(0).normal(size=(7, 6, 2)),
            np.random.default_rng(1).normal(size=(6, 2)) * 50,
        ]
    )
    with pytest.raises(
        NonFiniteError, match=r"step 0: the gradient of the loss of track 7 is not finite"
    ):
        vrnn.train(
            tracks, config=CONFIG, training=vrnn.TrainConfig(steps=2, holdout=0.0), quiet=True
        )
