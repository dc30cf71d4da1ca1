"""Pedestrians: train on ETH/UCY folds, forecast 8 -> 12, and write docs/pedestrians.md.

    python -m benchmarks.eth_ucy                    every experiment of the page, then the page
    python -m benchmarks.eth_ucy zara1/vrnn         one experiment, then the page
    python -m benchmarks.eth_ucy --page             the page alone, from the results kept

The data is the leave-one-scene-out split that VRNN_DATA (or --data) points to. Validation files choose the weights; no choice is
made on the test file.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

import vrnn
from benchmarks.common import data_folder, keep, kept, table
from vrnn.models import ModelConfig, kind_of

PAGE = Path(__file__).parents[1] / "docs" / "pedestrians.md"
SETTINGS = vrnn.TrainConfig(
    steps=2000,
    batch_size=128,
    window=20,
    observe=8,
    validate_every=500,
    frame=vrnn.FrameConfig(heading=True),
    augment=vrnn.AugmentConfig(flip=True, speed=(0.8, 1.2)),
)
COMMON = {"x_dim": 2, "hidden": 64, "latent_dim": 8, "emission": "full_gaussian"}


def rollout(**settings: str) -> vrnn.RolloutVAEConfig:
    return vrnn.RolloutVAEConfig(**COMMON, **settings)


SYSTEMS: dict[str, tuple[ModelConfig, dict]] = {
    "rnn": (vrnn.RNNConfig(x_dim=2, hidden=64, emission="full_gaussian"), {}),
    "vrnn": (vrnn.VRNNConfig(**COMMON), {"steps": 3500}),
    "seq2seq-next": (vrnn.Seq2SeqVAEConfig(**COMMON, target="next"), {}),
    "seq2seq-same": (
        vrnn.Seq2SeqVAEConfig(**{**COMMON, "latent_dim": 16}, target="same"),
        {"kl_warmup": 1000, "steps": 5000},
    ),
    "rollout-carried-forecasting": (rollout(latent="carried", task="forecasting"), {}),
    "rollout-carried-autoencoding": (rollout(latent="carried", task="autoencoding"), {"steps": 3500}),
    "rollout-step-forecasting": (rollout(latent="driven", redraw="step", task="forecasting"), {}),
    "rollout-step-autoencoding": (rollout(latent="driven", redraw="step", task="autoencoding"), {}),
    "rollout-sequence-forecasting": (rollout(latent="driven", redraw="sequence", task="forecasting"), {}),
    "rollout-sequence-autoencoding": (rollout(latent="driven", redraw="sequence", task="autoencoding"), {}),
}
EXPERIMENTS = ["hotel/vrnn", *(f"zara1/{name}" for name in SYSTEMS)]
SCENES = ("eth", "hotel", "univ", "zara1", "zara2")


def run(experiment: str, data: Path, seed: int, steps: int | None) -> None:
    """Train one system on one fold and keep its scores on the test windows."""
    scene, system = experiment.split("/")
    config, changes = SYSTEMS[system]
    settings = replace(SETTINGS, **changes, seed=seed, **({"steps": steps} if steps else {}))
    train, val, test = (vrnn.read_tracks(data / scene / part) for part in ("train", "val", "test"))
    started = time.perf_counter()
    trained = vrnn.train(config, train, settings, val=val)
    trained_in = time.perf_counter() - started
    started = time.perf_counter()
    plain = vrnn.evaluate(trained.model, test)
    evaluated_in = time.perf_counter() - started
    chosen = vrnn.evaluate(trained.model, test, representatives=True)
    result = {
        "experiment": experiment,
        "scene": scene,
        "system": system,
        "kind": kind_of(config),
        "seed": seed,
        "steps": settings.steps,
        "train_seconds": round(trained_in, 1),
        "evaluate_seconds": round(evaluated_in, 1),
        "iid": plain.to_dict(),
        "representative": chosen.to_dict(),
    }
    keep(f"eth_ucy-{scene}-{system}-{seed}", result)
    print(plain.to_text(), flush=True)


def page() -> None:
    """Write docs/pedestrians.md from the results kept."""
    results = kept("eth_ucy-")
    rows = []
    order = {name: i for i, name in enumerate(SYSTEMS)}
    for r in sorted(results, key=lambda r: (r["scene"], order[r["system"]], r["seed"])):
        m, best = r["iid"]["model"], r["representative"]["model"]
        rows.append(
            [
                r["scene"].upper(), r["system"], str(r["steps"]), str(r["seed"]), f"{r['train_seconds']:.0f} s", str(r["iid"]["windows"]),
                f"{m['ade']:.2f}/{m['fde']:.2f}", f"**{m['min_ade']:.3f}/{m['min_fde']:.3f}**",
                f"{best['min_ade']:.3f}/{best['min_fde']:.3f}", f"{m['nll']:.2f}", f"{m['energy_score']:.2f}",
            ]
        )  # fmt: skip
    straight = {r["scene"]: r["iid"] for r in results}
    lines = [
        [
            s.upper(),
            str(e["windows"]),
            f"{e['constant_velocity']['ade']:.3f}/{e['constant_velocity']['fde']:.3f}",
        ]
        for s, e in sorted(straight.items())
    ]
    head = ["scene", "system", "steps", "seed", "training", "windows", "ADE/FDE of the mean", "best of 20 samples",
            "best of 20 representatives", "NLL/step", "energy"]  # fmt: skip
    PAGE.write_text(
        TEXT.format(
            results=table(head, rows),
            straight=table(["scene", "windows", "constant velocity ADE/FDE"], lines),
        ),
        encoding="utf-8",
    )


TEXT = """# Pedestrians: ETH/UCY, 8 points observed, 12 forecast

Made by `python -m benchmarks.eth_ucy`, each experiment on one thread of a CPU with two cores; one of them by its name, for
example `python -m benchmarks.eth_ucy zara1/vrnn`. Distances in metres, nats in metres. Training on the other four scenes, weights chosen on
their validation files by the bound on the twelve future points, no choice made on the test scene. All systems share the setting of
the script: hidden 64, latent 8, one correlated Gaussian emission, displacements turned to the heading at the last observed
point, random mirror images and speeds from 0.8 to 1.2, batches of 128, Adam with a cosine schedule. The number of
steps is in the table; seq2seq-same has latent 16 and its KL raised over the first 1,000 of them. No system knows of other pedestrians.

{results}

Rules: a window is 20 consecutive frames of one pedestrian, stride 1, all test windows. The best of 20 is taken apart for
ADE and for FDE. Samples are plain joint samples with emission noise; representatives are the centres of 200 samples, chosen
without the truth. NLL: minus the log of the mean, over 20 filtered states, of the (bounded) density of the true future, per
step; energy score: the whole future one vector. Training is wall time with two experiments side by side and other work on the
machine.

The two autoencoders that draw one z_0 a sequence have a poor NLL: at test time z_0 is drawn from q(z_0 | prefix), which has read 8
points where training showed it 20. Their samples are good; the one true future is seldom likely under any single code. The one that
draws z_0 afresh at every step goes on from the prior instead and does not suffer.

{straight}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "experiments", nargs="*", help=f"scene/system; scenes {SCENES}; systems {tuple(SYSTEMS)}"
    )
    parser.add_argument("--data", type=Path, help="folder with the five scenes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="optimiser steps, in place of the script's")
    parser.add_argument(
        "--threads", type=int, default=1, help="of the processor; at these sizes a second one does not help"
    )
    parser.add_argument("--page", action="store_true", help="write the page alone")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if not given.page:
        data = data_folder(given.data, "eth_ucy")
        for experiment in given.experiments or EXPERIMENTS:
            run(experiment, data, given.seed, given.steps)
    page()


if __name__ == "__main__":
    main()
