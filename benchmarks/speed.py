"""Speed: training steps, filtering and forecasting beside plain PyTorch and the matrix products.

    python -m benchmarks.speed                   everything, in one process (about 15 minutes)
    python -m benchmarks.speed --json run.json   the same; the raw result goes to run.json alone
    python -m benchmarks.speed --tables          the tables alone, from the kept result

Times are medians of runs that take turns, so that a busy machine slows all of them alike. Read
the ratios. A whole training, on the scene ZARA1 of ETH/UCY, is run once with each backend.
`--json` leaves the kept result and the tables alone: it is for comparing two versions.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import vrnn
from benchmarks.baselines import PerStepVRNN, PublishedVRNN
from benchmarks.common import BACKENDS, data_folder, keep, kept, parser, write_result
from benchmarks.eth_ucy import SETTINGS, SYSTEMS
from benchmarks.speed_tables import write_all
from vrnn.inference.noise import draw_noise
from vrnn.inference.particle_filter import particle_filter
from vrnn.inference.random_numbers import seeded
from vrnn.inference.rollout import condition, fan_out, rollout
from vrnn.models.contract import Model
from vrnn.models.registry import make_model
from vrnn.objectives import elbo

SIZES = [
    (64, 20, 2, 64, 16),
    (64, 100, 2, 128, 16),
    (128, 100, 88, 256, 64),
    (256, 200, 2, 256, 32),
]
WINDOWS = 24_334  # of UNIV
TRACKS, SAMPLES, OBSERVED, HORIZON = 1000, 20, 8, 12
PARTICLES = (1, 100)
CATEGORIES = "categorical(16)"
LENGTHS = (50, 100, 200, 400, 800)
BATCHES = (16, 32, 64, 128, 256)
EVERY: dict[str, tuple[type, dict]] = {
    "RNN": (vrnn.RNNConfig, {}),
    "Seq2SeqVAE, next": (vrnn.Seq2SeqVAEConfig, {}),
    "Seq2SeqVAE, same": (vrnn.Seq2SeqVAEConfig, {"target": "same"}),
    "RolloutVAE, driven at every step": (
        vrnn.RolloutVAEConfig,
        {"task": "autoencoding", "dynamics": "driven", "redraw": "step"},
    ),
    "RolloutVAE, driven": (
        vrnn.RolloutVAEConfig,
        {"task": "autoencoding", "dynamics": "driven", "redraw": "sequence"},
    ),
    "RolloutVAE, carried": (vrnn.RolloutVAEConfig, {"task": "autoencoding", "dynamics": "carried"}),
    "VRNN": (vrnn.VRNNConfig, {}),
    "VRNN, 16 categories": (vrnn.VRNNConfig, {"latent": CATEGORIES}),
    "STORN": (vrnn.STORNConfig, {}),
    "SRNN": (vrnn.SRNNConfig, {}),
    "DMM": (vrnn.DMMConfig, {}),
}


def interleaved(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each run, the runs taking turns; a first round is left out."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for i in range(rounds + 1):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            if i:
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def our_model(dim: int, hidden: int, latent: int, family: str = "gaussian") -> Model:
    """Return a VRNN; `family` is that of its latents, of which only Gaussians have a width."""
    emission = "gaussian" if dim == 2 else "bernoulli"
    config = vrnn.VRNNConfig(
        dim, hidden=hidden, latent=family, latent_dim=latent, emission=emission
    )
    return make_model(config)


def data(batch: int, time_: int, dim: int) -> Tensor:
    x = torch.randn(batch, time_, dim, generator=seeded(0))
    return x if dim == 2 else (x > 1.3).float()


def our_step(model: Model, batch: vrnn.Batch, backend: str) -> Callable[[], None]:
    """Return a training step: forward and backward."""

    def step() -> None:
        model.zero_grad(set_to_none=True)
        noise = draw_noise(model, 1, *batch.x.shape[:2], seeded(1), observations=False)
        with BACKENDS[backend]():
            (-elbo(model, batch, noise).bound.mean()).backward()

    return step


def products(model: Model, steps: int) -> float:
    """Return the multiply-adds of a training step: forward, and back to inputs and to weights."""
    return 3.0 * steps * sum(p.numel() for p in model.parameters() if p.dim() == 2)


def ahead_products(model: Model, tracks: int) -> float:
    """Return the multiply-adds of futures from states at hand: every network but the encoder."""
    encoder = (
        {id(p) for p in model.posterior_head.parameters()} if model.learns_posterior else set()
    )
    once = sum(p.numel() for p in model.parameters() if p.dim() == 2 and id(p) not in encoder)
    return float(once) * tracks * SAMPLES * HORIZON


def at_peak(count: float) -> tuple[Callable[[], None], float]:
    """Return a large matrix product and the factor from its time to that of `count` products."""
    size = 1536
    a, b = torch.randn(size, size), torch.randn(size, size)
    times = max(1, min(8, round(count / size**3)))

    def run() -> None:
        for _ in range(times):
            torch.mm(a, b)

    return run, count / (times * size**3)


def training(size: tuple[int, ...], rounds: int) -> dict[str, float]:
    """Return the seconds of a training step of every kind at one size."""
    batch, time_, dim, hidden, latent = size
    x, model = data(batch, time_, dim), our_model(dim, hidden, latent)
    gru = nn.GRU(dim, hidden, batch_first=True)
    peak, factor = at_peak(products(model, batch * time_))

    def common(kind: type[nn.Module]) -> Callable[[], None]:
        per_step = kind(dim, hidden, latent, dim != 2)

        def run() -> None:
            per_step.zero_grad(set_to_none=True)
            per_step(x).backward()

        return run

    def recurrent() -> None:
        gru.zero_grad(set_to_none=True)
        gru(x)[0].sum().backward()

    ours = vrnn.Batch.of(x)
    found = interleaved(
        {
            "published": common(PublishedVRNN),
            "per step": common(PerStepVRNN),
            **{backend: our_step(model, ours, backend) for backend in BACKENDS},
            "GRU": recurrent,
            "peak": peak,
        },
        rounds,
    )
    return found | {"peak": found["peak"] * factor}


def systems(rounds: int, size: tuple[int, ...] = SIZES[1]) -> dict[str, dict[str, float]]:
    """Return the seconds of a training step of every model with each backend."""
    batch, time_, dim, hidden, latent = size
    ours, runs = vrnn.Batch.of(data(batch, time_, dim)), {}
    for name, (kind, settings) in EVERY.items():
        width = {} if kind is vrnn.RNNConfig else {"latent_dim": latent}
        model = make_model(kind(dim, hidden=hidden, **width, **settings))
        runs |= {f"{name} {backend}": our_step(model, ours, backend) for backend in BACKENDS}
    found = interleaved(runs, rounds)
    return {name: {b: found[f"{name} {b}"] for b in BACKENDS} for name in EVERY}


def filtering(rounds: int) -> dict[str, float]:
    """Return the seconds of the states of 1,000 tracks of 20 time steps."""
    x = data(TRACKS, 20, 2)
    model, per_step, published = (
        our_model(2, 64, 16),
        PerStepVRNN(2, 64, 16, False),
        PublishedVRNN(2, 64, 16, False),
    )
    batch = vrnn.Batch.of(x)

    def common(kind: nn.Module) -> Callable[[], None]:
        def run() -> None:
            with torch.no_grad():
                kind(x)

        return run

    def ours(backend: str) -> Callable[[], None]:
        def run() -> None:
            with torch.no_grad(), BACKENDS[backend]():
                noise = draw_noise(model, 1, TRACKS, 20, seeded(1), observations=False)
                elbo(model, batch, noise).bound.mean()

        return run

    found = {
        "published": common(published),
        "per step": common(per_step),
        **{backend: ours(backend) for backend in BACKENDS},
    }
    return interleaved(found, rounds)


def particles(
    rounds: int, tracks: int = 100, count: int = 100, family: str = "gaussian"
) -> dict[str, float]:
    """Return the seconds of a particle filter over complete tracks of 20 time steps."""
    model, batch = our_model(2, 64, 16, family), vrnn.Batch.of(data(tracks, 20, 2))
    noise = draw_noise(model, count, tracks, 20, seeded(1), observations=False, resampling=True)

    def ours(backend: str) -> Callable[[], object]:
        @torch.inference_mode()
        def run() -> object:
            with BACKENDS[backend]():
                return particle_filter(model, batch, noise)

        return run

    return interleaved({backend: ours(backend) for backend in BACKENDS}, rounds)


def forecasting(tracks: int, rounds: int, family: str = "gaussian") -> dict[str, float]:
    """Return the seconds of 20 futures of 12 time steps after 8 observed."""
    x = data(tracks, OBSERVED, 2)
    model, per_step, published = (
        our_model(2, 64, 16, family),
        PerStepVRNN(2, 64, 16, False),
        PublishedVRNN(2, 64, 16, False),
    )
    prefix, u = vrnn.Batch.of(x), x.new_zeros(tracks, HORIZON, 0)

    def ours(backend: str, prefixes: int) -> Callable[[], None]:
        def run() -> None:
            with torch.no_grad(), BACKENDS[backend]():
                past = draw_noise(model, prefixes, tracks, OBSERVED, seeded(1), observations=False)
                ahead = draw_noise(model, SAMPLES, tracks, HORIZON, seeded(2))
                belief = fan_out(condition(model, prefix, past), SAMPLES)
                rollout(model, belief, u, ahead)

        return run

    def common(kind: nn.Module) -> Callable[[], object]:
        return lambda: kind.forecast(x, SAMPLES, HORIZON)

    peak, factor = at_peak(ahead_products(model, tracks))
    runs = {"published": common(published), "per step": common(per_step), "peak": peak}
    runs |= {
        **{backend: ours(backend, SAMPLES) for backend in BACKENDS},
        "shared": ours("fast", 1),
    }
    found = interleaved(runs, rounds)
    return found | {"peak": found["peak"] * factor}


def whole_scene(windows: int) -> float:
    """Return the seconds of `vrnn.forecast` for so many windows, from tracks to paths."""
    random = np.random.default_rng(0)
    tracks = vrnn.Tracks(list(random.normal(size=(windows, OBSERVED, 2)).cumsum(1)))
    settings = vrnn.TrainConfig(
        steps=1, holdout=0.0, observe=OBSERVED - 1, transform=vrnn.TransformConfig(heading=True)
    )
    config = vrnn.VRNNConfig(x_dim=2, hidden=64, latent_dim=8, emission="full_gaussian")
    model = vrnn.train(tracks[:100], config=config, training=settings, quiet=True).model
    started = time.perf_counter()
    vrnn.forecast(tracks, model=model, horizon=HORIZON, samples=SAMPLES)
    return time.perf_counter() - started


def observing(particles: int, steps: int = 2000, family: str = "gaussian") -> float:
    """Return the median seconds of `vrnn.observe`: one point of one track, on one thread."""
    tracks = vrnn.Tracks(list(np.random.default_rng(0).normal(size=(64, 20, 2)).cumsum(1)))
    config = vrnn.VRNNConfig(
        x_dim=2, hidden=64, latent=family, latent_dim=16, emission="full_gaussian"
    )
    settings = vrnn.TrainConfig(steps=1)
    model = vrnn.train(tracks, config=config, training=settings, quiet=True).model
    belief, times = vrnn.initial_belief(model=model, particles=particles), []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for t in range(steps):
        started = time.perf_counter()
        belief, _ = vrnn.observe(tracks.x[0][t % 20], belief=belief, model=model)
        times.append(time.perf_counter() - started)
    torch.set_num_threads(threads)
    return statistics.median(times)


def slope(sizes: tuple[int, ...], values: list[float]) -> float:
    """Return the slope of log value over log size."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def growth(rounds: int) -> dict[str, dict]:
    """Return time and memory of a training step over its length and over its batch."""
    model, found = our_model(2, 64, 16), {}
    for name, sizes in (("time", LENGTHS), ("batch", BATCHES)):
        shapes = [(64, n) if name == "time" else (n, 100) for n in sizes]
        steps = {str(s): our_step(model, vrnn.Batch.of(data(*s, 2)), "fast") for s in shapes}
        seconds = list(interleaved(steps, rounds).values())
        memory = [peak_memory(*s) for s in shapes]
        found[name] = {
            "sizes": sizes,
            "seconds": seconds,
            "bytes": memory,
            "slope": slope(sizes, seconds),
            "memory_slope": slope(sizes, memory),
        }
    return found


def whole_training(scene: Path) -> dict:
    """Return time and scores of a training of the pedestrians' VRNN with each backend."""
    config, changes = SYSTEMS["vrnn"]
    train, val, test = (vrnn.read_tracks(scene / part) for part in ("train", "val", "test"))
    found = {}
    settings = replace(SETTINGS, **changes)
    for name, backend in BACKENDS.items():
        started = time.perf_counter()
        with backend():
            model = vrnn.train(train, config=config, training=settings, val=val).model
        seconds = time.perf_counter() - started
        scores = vrnn.evaluate(test, model=model).model
        found[name] = {
            "seconds": seconds,
            "ade": scores.min_ade,
            "fde": scores.min_fde,
            "nll": scores.nll,
        }
    return {"steps": settings.steps, "batch": settings.batch_size, **found}


def peak_memory(batch: int, time_: int) -> int:
    """Return the memory that a training step adds to a fresh process, in bytes."""
    command = [sys.executable, "-m", "benchmarks.speed", "--memory", str(batch), str(time_)]
    command += ["--threads", str(torch.get_num_threads())]
    return int(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    )


def memory_of_step(batch: int, time_: int) -> int:
    """Return by how much a step raises the most memory ever held, in bytes (Linux)."""
    our_step(our_model(2, 64, 16), vrnn.Batch.of(data(2, 3, 2)), "fast")()  # loads what it needs
    step = our_step(our_model(2, 64, 16), vrnn.Batch.of(data(batch, time_, 2)), "fast")
    before = most_memory()
    step()
    return most_memory() - before


def most_memory() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(
        next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
    )


def write_tables() -> None:
    """Write every table of the page from the kept result."""
    write_all(kept("speed")[0], windows=WINDOWS, samples=SAMPLES)


def measure(scene: Path, rounds: int) -> dict:
    """Return the raw result of one run."""
    few = max(3, rounds // 3)

    def many(size: tuple[int, ...]) -> int:
        return 3 * rounds if size[0] * size[1] < 10_000 else few

    return {
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "training": [{"size": size, **training(size, many(size))} for size in SIZES],
        "systems": systems(few),
        "inference": {
            "filtering": filtering(rounds),
            "filtering with particles": particles(few),
            "filtering with particles, 16 categories": particles(few, family=CATEGORIES),
            f"forecasting {TRACKS} tracks": forecasting(TRACKS, few),
            f"forecasting {TRACKS} tracks, 16 categories": forecasting(TRACKS, few, CATEGORIES),
            "forecasting one track": forecasting(1, 3 * rounds),
        },
        "growth": growth(rounds),
        "observing": {str(count): observing(count) for count in PARTICLES},
        "observing categories": {
            str(count): observing(count, family=CATEGORIES) for count in PARTICLES
        },
        "scene_seconds": whole_scene(WINDOWS),
        "pedestrians": whole_training(scene),
    }


def main() -> None:
    made = parser(__doc__, "the scenes of ETH/UCY", threads=2)
    made.add_argument("--rounds", type=int, default=15, help="of the runs that take turns")
    made.add_argument("--json", type=Path, help="file for the raw result; nothing else is written")
    made.add_argument("--memory", type=int, nargs=2, help=argparse.SUPPRESS)
    given = made.parse_args()
    torch.set_num_threads(given.threads)
    if given.memory:
        print(memory_of_step(*given.memory))
        return
    if given.tables:
        write_tables()
        return
    result = measure(data_folder(given.data, "eth_ucy") / "zara1", given.rounds)
    if given.json:
        write_result(given.json, result)
    else:
        keep("speed", result)
        write_tables()


if __name__ == "__main__":
    main()
