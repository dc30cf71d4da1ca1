"""A driven pendulum: forecasts given the torque to come, against the truth itself.

    python -m benchmarks.pendulum                  the truth, and every model with seeds 0 to 2
    python -m benchmarks.pendulum rssm rnn         some models
    python -m benchmarks.pendulum truth            the truth alone
    python -m benchmarks.pendulum rssm --seed 1    one model, one seed
    python -m benchmarks.pendulum --tables         the tables alone, from the kept results

`vrnn.Pendulum` draws the tracks, and its particle filter draws the true futures. Models share the
data, the width, the emission and the settings of training. Positions stay positions: they are
standardised and not turned into displacements, because the pivot is a fixed place.
"""

import time
from dataclasses import replace

import numpy as np
import torch

import vrnn
from benchmarks.common import keep, kept, parser, spread, with_training, write_table
from vrnn.metrics.scores import energy_score

WORLD = vrnn.Pendulum()
TRAIN, VAL, TEST = 10_000, 300, 500  # tracks
OBSERVE, HORIZON = 30, 20
SAMPLES = 200  # futures of a track
PARTICLES = 100  # of the bound
TEST_SEED, VAL_SEED, TRAIN_SEED = 1, 2, 100  # a run adds its seed to the last
TRUTH_SEED = 7
SEEDS = (0, 1, 2)
SHARED = {"x_dim": 2, "u_dim": 1, "hidden": 64}
LATENT = {"latent_dim": 8}
MODELS = {
    "rssm": vrnn.RSSMConfig(**SHARED, **LATENT),
    "rssm-both": vrnn.RSSMConfig(**SHARED, **LATENT, latent="gaussian+categorical(4)"),
    "rssm-categorical": vrnn.RSSMConfig(**SHARED, latent="8*categorical(8)"),
    "vrnn": vrnn.VRNNConfig(**SHARED, **LATENT),
    "rnn": vrnn.RNNConfig(**SHARED),
}
LABELS = {
    "rssm": "RSSM, Gaussian",
    "rssm-both": "RSSM, Gaussian and one of 4",
    "rssm-categorical": "RSSM, 8 times one of 8",
    "vrnn": "VRNN, Gaussian",
    "rnn": "RNN",
}
TRAINING = vrnn.TrainConfig(
    steps=2000,
    batch_size=64,
    learning_rate=4e-3,
    ema_decay=0.99,
    validate_every=200,
    transform=vrnn.TransformConfig(displacement=False),
)


def scores(samples: np.ndarray, x: np.ndarray) -> dict[str, list[float]]:
    """Return the energy scores of the futures of each track: of whole paths, and of their end."""
    return {
        "path": energy_score(samples, x[:, OBSERVE:]).round(5).tolist(),
        "end": energy_score(samples[:, :, -1], x[:, -1]).round(5).tolist(),
    }


def measure_truth() -> None:
    """Keep the scores of futures that the true process draws, and its likelihood."""
    tracks = WORLD.sample(TEST, seed=TEST_SEED)
    x, u = np.stack(tracks.x), np.stack(tracks.u)
    samples = WORLD.future(x[:, :OBSERVE], u, HORIZON, SAMPLES, seed=TRUTH_SEED)
    nll = -WORLD.log_prob(x, u, seed=TRUTH_SEED) / x.shape[1]
    result = {"seed": TRUTH_SEED, "nll": float(nll.mean()), **scores(samples, x)}
    keep("pendulum_truth", result)
    print("truth", np.mean(result["path"]), np.mean(result["end"]), result["nll"], flush=True)


def run(name: str, seed: int, steps: int | None) -> None:
    """Train a model and keep its scores on the test tracks."""
    settings = replace(TRAINING, seed=seed, **({"steps": steps} if steps else {}))
    started = time.process_time()
    trained = vrnn.train(
        WORLD.sample(TRAIN, seed=TRAIN_SEED + seed),
        val=WORLD.sample(VAL, seed=VAL_SEED),
        config=MODELS[name],
        training=settings,
        quiet=True,
    )
    seconds = time.process_time() - started
    tracks = WORLD.sample(TEST, seed=TEST_SEED)
    x, u = np.stack(tracks.x), np.stack(tracks.u)
    futures = vrnn.forecast(
        tracks.cut(stop=OBSERVE),
        model=trained.model,
        horizon=HORIZON,
        samples=SAMPLES,
        inputs=u[:, OBSERVE:],
        seed=seed,
    )
    bound = vrnn.likelihood(tracks, model=trained.model, samples=PARTICLES, repeats=1, seed=seed)
    result = {
        "model": name,
        "seed": seed,
        "steps": settings.steps,
        "cpu_seconds": round(seconds, 1),
        "parameters": sum(p.numel() for p in trained.model.network.parameters()),
        "nll": -bound.per_row,
        "exact": bound.exact,
        **scores(futures.samples, x),
    }
    keep(f"pendulum-{name}-{seed}", result)
    print(name, seed, np.mean(result["path"]), np.mean(result["end"]), result["nll"], flush=True)


def excess(values: list[float], truth: list[float]) -> float:
    """Return by what share a mean score lies above that of the truth."""
    return float(np.mean(values) / np.mean(truth) - 1)


def standard_error(values: list[float], truth: list[float]) -> float:
    """Return the standard error of `excess` from the choice of test tracks."""
    difference = np.subtract(values, truth)
    return float(difference.std() / np.sqrt(len(difference)) / np.mean(truth))


def write_tables() -> None:
    """Write the table of scores and that of sizes."""
    (truth,) = kept("pendulum_truth")
    rows = []
    for name, label in LABELS.items():
        found = [r for r in kept(f"pendulum-{name}-") if r["model"] == name]
        if not found:
            continue
        rows.append(
            [
                label,
                spread([float(np.mean(r["path"])) for r in found], 3),
                spread([excess(r["path"], truth["path"]) for r in found], 1, "%"),
                f"{np.mean([standard_error(r['path'], truth['path']) for r in found]):.1%}",
                spread([float(np.mean(r["end"])) for r in found], 3),
                spread([excess(r["end"], truth["end"]) for r in found], 1, "%"),
                spread([r["nll"] for r in found], 3),
                str(len(found)),
                f"{np.mean([r['cpu_seconds'] for r in found]) / 60:.1f}",
            ]
        )
    path, end = (f"{np.mean(truth[key]):.3f}" for key in ("path", "end"))
    rows.append(["the truth", path, "", "", end, "", f"{truth['nll']:.3f}", "", ""])
    head = [
        "model",
        "energy score, 20 steps",
        "above the truth",
        "standard error",
        "energy score, step 20",
        "above the truth",
        "NLL, nats per step",
        "seeds",
        "CPU minutes",
    ]
    write_table("pendulum", head, rows)
    write_table(
        "pendulum-sizes",
        [
            "training tracks",
            "validation tracks",
            "test tracks",
            "steps of a track",
            "observed",
            "forecast",
            "futures per track",
            "particles of the NLL",
        ],
        [
            [
                f"{TRAIN:,}",
                str(VAL),
                str(TEST),
                str(OBSERVE + HORIZON),
                str(OBSERVE),
                str(HORIZON),
                str(SAMPLES),
                str(PARTICLES),
            ]
        ],
    )


def main() -> None:
    made = with_training(parser(__doc__, "nothing; the data is simulated"), "0, 1 and 2")
    made.add_argument("names", nargs="*", metavar="MODEL", help=f"truth, {', '.join(MODELS)}")
    given = made.parse_args()
    torch.set_num_threads(given.threads)
    if not given.tables:
        for name in given.names or ["truth", *MODELS]:
            if name == "truth":
                measure_truth()
                continue
            for seed in SEEDS if given.seed is None else (given.seed,):
                run(name, seed, given.steps)
    write_tables()


if __name__ == "__main__":
    main()
