"""The model that needs no training: train `tracks-2d` on simulated motion alone.

    python -m benchmarks.pretrain                 train it, or go on where training was stopped
    python -m benchmarks.pretrain --out runs/own  into another folder than that of the package

No real track is used. Every step draws new tracks of `vrnn.data.synthetic.motion`, so no track is
seen twice. The same steps on the same machine and threads give the same weights.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import vrnn
from vrnn.data.batch import Batch
from vrnn.data.preprocessor import Preprocessor
from vrnn.data.synthetic.motion import motion
from vrnn.files import whole_file
from vrnn.inference.noise import draw_noise
from vrnn.inference.random_numbers import seeded
from vrnn.inference.unroll import unroll
from vrnn.models.contract import Model
from vrnn.trained import TrainedModel, build_network
from vrnn.training.ema import EMA
from vrnn.training.run_folder import save_config
from vrnn.training.simulated import BLOCK, ROWS, WORST, moves_of
from vrnn.training.weights import copy_weights, save_weights

NAME = "tracks-2d"
PACKAGE = Path(vrnn.__file__).parent / "pretrained"
STATE = Path("runs") / "pretrain" / "state.safetensors"
CONFIG = vrnn.VRNNConfig(x_dim=2, hidden=128, latent="categorical(16)", emission="full_gaussian")
SETTINGS = vrnn.TrainConfig(
    steps=14000,
    batch_size=128,
    learning_rate=2e-3,
    warmup=200,
    weight_decay=1e-4,
    ema_decay=0.997,
    transform=vrnn.TransformConfig(causal=True),
)
SAVE_EVERY = 250


def untrained() -> TrainedModel:
    """Return the model as drawn at the start, for moves of a root mean square length of 1."""
    moves = np.full((3, 2), math.sqrt(0.5)).cumsum(0)
    tracks = vrnn.Tracks([moves], x_names=("x", "y"))
    family = vrnn.VRNN(CONFIG).observation
    preprocessor = Preprocessor.fit(tracks, SETTINGS.transform, family)
    config = vrnn.VRNNConfig(**{**vars(CONFIG), "u_dim": preprocessor.model_u_dim})
    torch.manual_seed(SETTINGS.seed)
    return TrainedModel(
        build_network(config, preprocessor), preprocessor, config, SETTINGS.to_dict()
    )


def losses(network: Model, batch: Batch, seed: int) -> Tensor:
    """Return the NLL of every move but the first of a track, (batch, time), none above `WORST`."""
    noise = draw_noise(network, 1, len(batch.x), batch.x.shape[1], seeded(SETTINGS.seed, seed))
    return -unroll(network, batch, noise).log_prob[0, :, 1:].clamp(min=-WORST)


def simulate(block: int) -> np.ndarray:
    """Return the tracks of a block of steps."""
    return motion(np.random.default_rng([1, block]), BLOCK * SETTINGS.batch_size, ROWS)


def learning_rate(step: int, steps: int) -> float:
    """Return the learning rate of a step: a rise, then half a cosine down to a fiftieth."""
    fall = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps))
    return SETTINGS.learning_rate * min(1.0, (step + 1) / SETTINGS.warmup) * fall


def pretrain(out: Path, steps: int, state: Path) -> None:
    """Train the model, and write its folder."""
    model = untrained()
    network = model.network
    optimiser = torch.optim.AdamW(
        network.parameters(), SETTINGS.learning_rate, weight_decay=SETTINGS.weight_decay
    )
    ema, first = EMA(network, SETTINGS.ema_decay), 0
    if state.exists():
        first = restore(state, network, optimiser, ema)
        print(f"going on from step {first}", flush=True)
    check = moves_of(motion(np.random.default_rng(99), 512, ROWS))
    started, tracks, size = time.perf_counter(), None, SETTINGS.batch_size
    for step in range(first, steps):
        if tracks is None or step % BLOCK == 0:
            tracks = simulate(step // BLOCK)
        at = step % BLOCK * size
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, steps)
        loss = losses(network, moves_of(tracks[at : at + size]), step).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), SETTINGS.grad_clip)
        optimiser.step()
        ema.update(step)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            with torch.no_grad(), ema.applied():
                value = float(losses(network, check, 0).mean())
            seconds = time.perf_counter() - started
            print(
                f"step {step + 1}/{steps}  simulated NLL {value:.4f}  {seconds:.0f} s", flush=True
            )
            save(state, network, optimiser, ema, step + 1)
    with ema.applied():
        write(out, model)
    state.unlink(missing_ok=True)


def write(out: Path, model: TrainedModel) -> None:
    """Write the model as a run folder."""
    out.mkdir(parents=True, exist_ok=True)
    save_weights(out, copy_weights(model.network))
    save_config(out, model, "simulated motion")
    print(f"{out}: {sum(p.numel() for p in model.network.parameters()):,} weights")


def save(
    state: Path, network: Model, optimiser: torch.optim.Optimizer, ema: EMA, step: int
) -> None:
    """Keep all that a stopped training goes on from."""
    found = {f"now.{name}": value for name, value in copy_weights(network).items()}
    found |= {f"ema.{name}": value for name, value in ema.weights.items()}
    for i, of in optimiser.state_dict()["state"].items():
        found |= {f"adam.{i}.{name}": value for name, value in of.items()}
    found["step"] = torch.tensor(step)
    state.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(state) as temporary:
        save_file({name: value.contiguous() for name, value in found.items()}, temporary)


def restore(state: Path, network: Model, optimiser: torch.optim.Optimizer, ema: EMA) -> int:
    """Put a kept state back, and return its step."""
    kept = load_file(state)
    parts: dict[str, dict[str, Tensor]] = {"now": {}, "ema": {}, "adam": {}}
    for name, value in kept.items():
        kind, _, rest = name.partition(".")
        if rest:
            parts[kind][rest] = value
    network.load_state_dict(parts["now"])
    for name, value in parts["ema"].items():
        ema.weights[name].copy_(value)
    adam: dict[int, dict[str, Tensor]] = {}
    for name, value in parts["adam"].items():
        index, _, field = name.partition(".")
        adam.setdefault(int(index), {})[field] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": adam, "param_groups": groups})
    return int(kept["step"])


def main() -> None:
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    made.add_argument("--out", type=Path, default=PACKAGE / NAME, help="folder to write")
    made.add_argument("--steps", type=int, default=SETTINGS.steps, help="optimiser steps")
    made.add_argument("--state", type=Path, default=STATE, help="where a stopped training goes on")
    made.add_argument("--threads", type=int, default=2, help="threads of the processor")
    given = made.parse_args()
    torch.set_num_threads(given.threads)
    pretrain(given.out, given.steps, given.state)


if __name__ == "__main__":
    main()
