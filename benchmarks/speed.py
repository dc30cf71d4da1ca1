"""Speed: a training step, filtering and forecasting beside a VRNN as published, one written step by step, GRU and matrix peak; write docs/speed.md.

    python -m benchmarks.speed              everything, in one process, then the page (about a quarter of an hour)
    python -m benchmarks.speed --page       the page alone, from the result kept

Times are medians of runs that take turns, so that a busy machine slows all of them alike; read the ratios. A whole training, on the
scene ZARA1 of ETH/UCY, is run once with each loop.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

import vrnn
from benchmarks.common import data_folder, keep, kept, table
from benchmarks.eth_ucy import SETTINGS, SYSTEMS
from vrnn import kernels
from vrnn.data.batch import Batch
from vrnn.inference.begin import begin, fan_out
from vrnn.inference.noise import draw_noise, seeded
from vrnn.inference.particle_filter import particle_filter
from vrnn.models import Model, make_model
from vrnn.objectives.elbo import elbo

PAGE = Path(__file__).parents[1] / "docs" / "speed.md"
SIZES = [
    (64, 20, 2, 64, 16),
    (64, 100, 2, 128, 16),
    (128, 100, 88, 256, 64),
    (256, 200, 2, 256, 32),
]
WINDOWS = 24_334  # of UNIV
TRACKS, SAMPLES, OBSERVED, HORIZON = 1000, 20, 8, 12
PARTICLES = (1, 100)
LENGTHS = (50, 100, 200, 400, 800)
BATCHES = (16, 32, 64, 128, 256)
EVERY: dict[str, tuple[type, dict]] = {
    "RNN": (vrnn.RNNConfig, {}),
    "Seq2SeqVAE, next": (vrnn.Seq2SeqVAEConfig, {}),
    "Seq2SeqVAE, same": (vrnn.Seq2SeqVAEConfig, {"target": "same"}),
    "RolloutVAE, driven at every step": (
        vrnn.RolloutVAEConfig,
        {"task": "autoencoding", "latent": "driven", "redraw": "step"},
    ),
    "RolloutVAE, driven": (
        vrnn.RolloutVAEConfig,
        {"task": "autoencoding", "latent": "driven", "redraw": "sequence"},
    ),
    "RolloutVAE, carried": (vrnn.RolloutVAEConfig, {"task": "autoencoding", "latent": "carried"}),
    "VRNN": (vrnn.VRNNConfig, {}),
    "STORN": (vrnn.STORNConfig, {}),
    "SRNN": (vrnn.SRNNConfig, {}),
    "DMM": (vrnn.DMMConfig, {}),
}


class PerStepVRNN(nn.Module):
    """A VRNN written step by step: every network is called inside the loop, the losses are is_increment step by step.

    The layers are those of `vrnn.VRNN`, so that both do the same multiplications.
    """

    def __init__(self, dim: int, hidden: int, latent: int, binary: bool):
        super().__init__()
        self.hidden, self.binary = hidden, binary
        self.of_x = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU())
        self.of_z = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU())
        self.encoder = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU())
        self.encoder_mean, self.encoder_scale = (
            nn.Linear(hidden, latent),
            nn.Sequential(nn.Linear(hidden, latent), nn.Softplus()),
        )
        self.prior = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU())
        self.prior_mean, self.prior_scale = (
            nn.Linear(hidden, latent),
            nn.Sequential(nn.Linear(hidden, latent), nn.Softplus()),
        )
        self.decoder = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU())
        self.decoder_mean, self.decoder_scale = (
            nn.Linear(hidden, dim),
            nn.Sequential(nn.Linear(hidden, dim), nn.Softplus()),
        )
        self.cell = nn.GRUCell(2 * hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Give the negative bound of sequences (batch, time, dim)."""
        h, loss = x.new_zeros(x.shape[0], self.hidden), x.new_zeros(())
        for t in range(x.shape[1]):
            h, step = self.step(x[:, t], h)
            loss = loss + step
        return loss / x[..., 0].numel()

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        features = self.of_x(x)
        code = self.encoder(torch.cat([features, h], -1))
        mean, scale = self.encoder_mean(code), self.encoder_scale(code) + 1e-3
        before = self.prior(h)
        prior_mean, prior_scale = self.prior_mean(before), self.prior_scale(before) + 1e-3
        z = mean + scale * torch.randn_like(scale)
        of_z = self.of_z(z)
        out = self.decoder(torch.cat([of_z, h], -1))
        kl = (
            (prior_scale / scale).log()
            + (scale**2 + (mean - prior_mean) ** 2) / (2 * prior_scale**2)
            - 0.5
        )
        if self.binary:
            nll = nn.functional.binary_cross_entropy_with_logits(
                self.decoder_mean(out), x, reduction="sum"
            )
        else:
            spread = self.decoder_scale(out) + 1e-3
            nll = (0.5 * ((x - self.decoder_mean(out)) / spread) ** 2 + spread.log() + 0.919).sum()
        return self.cell(torch.cat([features, of_z], -1), h), nll + kl.sum()

    @torch.no_grad()
    def forecast(self, x: Tensor, samples: int, horizon: int) -> Tensor:
        """Draw futures (sample * batch, horizon, dim) of prefixes (batch, time, dim)."""
        x = x.repeat(samples, 1, 1)
        h = x.new_zeros(x.shape[0], self.hidden)
        for t in range(x.shape[1]):
            features = self.of_x(x[:, t])
            code = self.encoder(torch.cat([features, h], -1))
            mean, scale = self.encoder_mean(code), self.encoder_scale(code) + 1e-3
            of_z = self.of_z(mean + scale * torch.randn_like(scale))
            h = self.cell(torch.cat([features, of_z], -1), h)
        drawn = []
        for _ in range(horizon):
            before = self.prior(h)
            mean, scale = self.prior_mean(before), self.prior_scale(before) + 1e-3
            of_z = self.of_z(mean + scale * torch.randn_like(scale))
            out = self.decoder(torch.cat([of_z, h], -1))
            mean, scale = self.decoder_mean(out), self.decoder_scale(out) + 1e-3
            drawn.append(mean + scale * torch.randn_like(scale))
            h = self.cell(torch.cat([self.of_x(drawn[-1]), of_z], -1), h)
        return torch.stack(drawn, 1)


class PublishedVRNN(nn.Module):
    """A VRNN with the layers and the calls of a public implementation that many others follow, in our own words.

    Features of x, encoder and decoder have two layers; `nn.GRU` is called on one step at a time; every term of the loss is a function of
    its own. It does 17 H^2 multiplications a step where `PerStepVRNN` and ours do 14 H^2, H being the width.
    """

    def __init__(self, dim: int, hidden: int, latent: int, binary: bool):
        super().__init__()
        self.hidden, self.binary = hidden, binary

        def deep(inputs: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
            )

        def positive(outputs: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(hidden, outputs), nn.Softplus())

        self.of_x, self.of_z = deep(dim), nn.Sequential(nn.Linear(latent, hidden), nn.ReLU())
        self.encoder, self.encoder_mean, self.encoder_scale = (
            deep(2 * hidden),
            nn.Linear(hidden, latent),
            positive(latent),
        )
        self.prior = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU())
        self.prior_mean, self.prior_scale = nn.Linear(hidden, latent), positive(latent)
        self.decoder, self.decoder_mean, self.decoder_scale = (
            deep(2 * hidden),
            nn.Linear(hidden, dim),
            positive(dim),
        )
        self.rnn = nn.GRU(2 * hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Give the negative bound of sequences (batch, time, dim)."""
        h, kl, nll = x.new_zeros(1, x.shape[0], self.hidden), x.new_zeros(()), x.new_zeros(())
        for t in range(x.shape[1]):
            features = self.of_x(x[:, t])
            code = self.encoder(torch.cat([features, h[-1]], 1))
            mean, scale = self.encoder_mean(code), self.encoder_scale(code)
            before = self.prior(h[-1])
            prior_mean, prior_scale = self.prior_mean(before), self.prior_scale(before)
            of_z = self.of_z(self.sample(mean, scale))
            out = self.decoder(torch.cat([of_z, h[-1]], 1))
            center, spread = self.decoder_mean(out), self.decoder_scale(out)
            _, h = self.rnn(torch.cat([features, of_z], 1)[None], h)
            kl = kl + self.divergence(mean, scale, prior_mean, prior_scale)
            nll = nll + self.minus_log_density(x[:, t], center, spread)
        return (kl + nll) / x[..., 0].numel()

    def sample(self, mean: Tensor, scale: Tensor) -> Tensor:
        return torch.empty_like(scale).normal_().mul(scale).add(mean)

    def divergence(
        self, mean: Tensor, scale: Tensor, prior_mean: Tensor, prior_scale: Tensor
    ) -> Tensor:
        terms = 2 * prior_scale.log() - 2 * scale.log() - 1
        return (
            0.5 * (terms + (scale.pow(2) + (mean - prior_mean).pow(2)) / prior_scale.pow(2)).sum()
        )

    def minus_log_density(self, x: Tensor, center: Tensor, spread: Tensor) -> Tensor:
        if self.binary:
            p = center.sigmoid()
            return -(x * (p + 1e-6).log() + (1 - x) * (1 - p + 1e-6).log()).sum()
        return (spread.log() + 0.919 + (x - center).pow(2) / (2 * spread.pow(2))).sum()

    @torch.no_grad()
    def forecast(self, x: Tensor, samples: int, horizon: int) -> Tensor:
        """Draw futures (sample * batch, horizon, dim) of prefixes (batch, time, dim)."""
        x = x.repeat(samples, 1, 1)
        h, drawn = x.new_zeros(1, x.shape[0], self.hidden), []
        for t in range(x.shape[1] + horizon):
            observed = t < x.shape[1]
            if observed:
                features = self.of_x(x[:, t])
                code = self.encoder(torch.cat([features, h[-1]], 1))
                mean, scale = self.encoder_mean(code), self.encoder_scale(code)
            else:
                before = self.prior(h[-1])
                mean, scale = self.prior_mean(before), self.prior_scale(before)
            of_z = self.of_z(self.sample(mean, scale))
            if not observed:
                out = self.decoder(torch.cat([of_z, h[-1]], 1))
                drawn.append(self.sample(self.decoder_mean(out), self.decoder_scale(out)))
                features = self.of_x(drawn[-1])
            _, h = self.rnn(torch.cat([features, of_z], 1)[None], h)
        return torch.stack(drawn, 1)


def interleaved(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Give the median seconds of each run, the runs taking turns; a first round does not count."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for i in range(rounds + 1):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            if i:
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def our_model(dim: int, hidden: int, latent: int) -> Model:
    return make_model(
        vrnn.VRNNConfig(
            dim, hidden=hidden, latent_dim=latent, emission="gaussian" if dim == 2 else "bernoulli"
        )
    )


def data(batch: int, time_: int, dim: int) -> Tensor:
    x = torch.randn(batch, time_, dim, generator=seeded(0))
    return x if dim == 2 else (x > 1.3).float()


def our_step(model: Model, batch: Batch, kernel: kernels.Kernel) -> Callable[[], None]:
    """Give a training step: forward and backward."""

    def step() -> None:
        model.zero_grad(set_to_none=True)
        noise = draw_noise(model, 1, *batch.x.shape[:2], seeded(1), observations=False)
        found = kernels.unroll(model, batch, noise, kernel=kernel)
        (-elbo(model, found).bound.mean()).backward()

    return step


def products(model: Model, rows: int) -> float:
    """Count the multiply-adds of a training step over `rows` steps: forward, and back to inputs and to weights."""
    return 3.0 * rows * sum(p.numel() for p in model.parameters() if p.dim() == 2)


def ahead_products(model: Model, tracks: int) -> float:
    """Count the multiply-adds of futures that go on from states already there: of every network but the encoder, at every step of each."""
    encoder = {id(p) for p in model.posterior_head.parameters()}
    once = sum(p.numel() for p in model.parameters() if p.dim() == 2 and id(p) not in encoder)
    return float(once) * tracks * SAMPLES * HORIZON


def at_peak(count: float) -> tuple[Callable[[], None], float]:
    """Give a large matrix product to time, and what its time is to be multiplied by to stand for `count` multiply-adds."""
    size = 1536
    a, b = torch.randn(size, size), torch.randn(size, size)
    times = max(1, min(8, round(count / size**3)))

    def run() -> None:
        for _ in range(times):
            torch.mm(a, b)

    return run, count / (times * size**3)


def training(size: tuple[int, ...], rounds: int) -> dict[str, float]:
    """Time a training step of every kind at one size, in seconds."""
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

    ours = Batch.of(x)
    found = interleaved(
        {"published": common(PublishedVRNN), "per step": common(PerStepVRNN),
         "plain": our_step(model, ours, "plain"), "fast": our_step(model, ours, "auto"), "GRU": recurrent, "peak": peak},
        rounds,
    )  # fmt: skip
    return found | {"peak": found["peak"] * factor}


def systems(rounds: int, size: tuple[int, ...] = SIZES[1]) -> dict[str, dict[str, float]]:
    """Time a training step of every system by the plain loop and by what serves it best, in seconds."""
    batch, time_, dim, hidden, latent = size
    ours, runs = Batch.of(data(batch, time_, dim)), {}
    for name, (kind, settings) in EVERY.items():
        width = {} if kind is vrnn.RNNConfig else {"latent_dim": latent}
        model = make_model(kind(dim, hidden=hidden, **width, **settings))
        runs |= {f"{name} {kernel}": our_step(model, ours, kernel) for kernel in ("plain", "auto")}
    found = interleaved(runs, rounds)
    return {
        name: {"plain": found[f"{name} plain"], "fast": found[f"{name} auto"]} for name in EVERY
    }


def filtering(rounds: int) -> dict[str, float]:
    """Time the states of 1,000 tracks of 20 rows, in seconds."""
    x = data(TRACKS, 20, 2)
    model, per_step, published = (
        our_model(2, 64, 16),
        PerStepVRNN(2, 64, 16, False),
        PublishedVRNN(2, 64, 16, False),
    )
    batch = Batch.of(x)

    def common(kind: nn.Module) -> Callable[[], None]:
        def run() -> None:
            with torch.no_grad():
                kind(x)

        return run

    def ours(kernel: kernels.Kernel) -> Callable[[], None]:
        def run() -> None:
            with torch.no_grad():
                noise = draw_noise(model, 1, TRACKS, 20, seeded(1), observations=False)
                elbo(model, kernels.unroll(model, batch, noise, kernel=kernel)).bound.mean()

        return run

    found = {
        "published": common(published),
        "per step": common(per_step),
        "plain": ours("plain"),
        "fast": ours("auto"),
    }
    return interleaved(found, rounds)


def particles(rounds: int, tracks: int = 100, count: int = 100, rows: int = 20) -> dict[str, float]:
    """Time a particle filter over complete tracks with the compiled step and without, in seconds."""
    model, batch = our_model(2, 64, 16), Batch.of(data(tracks, rows, 2))
    noise = draw_noise(model, count, tracks, rows, seeded(1), observations=False, resampling=True)

    def ours(kernel: Literal["auto", "plain"]) -> Callable[[], object]:
        @torch.inference_mode()
        def run() -> object:
            return particle_filter(model, batch, noise, kernel=kernel)

        return run

    return interleaved({"plain": ours("plain"), "fast": ours("auto")}, rounds)


def forecasting(tracks: int, rounds: int) -> dict[str, float]:
    """Time 20 futures of 12 rows after 8 observed, in seconds."""
    x = data(tracks, OBSERVED, 2)
    model, per_step, published = (
        our_model(2, 64, 16),
        PerStepVRNN(2, 64, 16, False),
        PublishedVRNN(2, 64, 16, False),
    )
    prefix, u = Batch.of(x), x.new_zeros(tracks, HORIZON, 0)

    def ours(kernel: kernels.Kernel, states: int) -> Callable[[], None]:
        def run() -> None:
            with torch.no_grad():
                past = draw_noise(model, states, tracks, OBSERVED, seeded(1), observations=False)
                ahead = draw_noise(model, SAMPLES, tracks, HORIZON, seeded(2))
                belief = fan_out(begin(model, prefix, past, kernel=kernel), SAMPLES)
                kernels.imagine(model, belief, u, ahead, kernel=kernel)

        return run

    def common(kind: nn.Module) -> Callable[[], object]:
        return lambda: kind.forecast(x, SAMPLES, HORIZON)

    peak, factor = at_peak(ahead_products(model, tracks))
    runs = {"published": common(published), "per step": common(per_step), "peak": peak}
    runs |= {
        "plain": ours("plain", SAMPLES),
        "fast": ours("auto", SAMPLES),
        "shared": ours("auto", 1),
    }
    found = interleaved(runs, rounds)
    return found | {"peak": found["peak"] * factor}


def whole_scene(windows: int) -> float:
    """Take the time of `vrnn.forecast` for as many windows as the largest ETH/UCY scene has, from tracks to paths in their units."""
    random = np.random.default_rng(0)
    tracks = vrnn.Tracks(list(random.normal(size=(windows, OBSERVED, 2)).cumsum(1)))
    settings = vrnn.TrainConfig(
        steps=1, holdout=0.0, observe=OBSERVED - 1, transform=vrnn.TransformConfig(heading=True)
    )
    config = vrnn.VRNNConfig(x_dim=2, hidden=64, latent_dim=8, emission="full_gaussian")
    model = vrnn.train(config, tracks[:100], settings, quiet=True).model
    started = time.perf_counter()
    vrnn.forecast(model, tracks, HORIZON, SAMPLES)
    return time.perf_counter() - started


def observing(particles: int, steps: int = 2000) -> float:
    """Take the median time of `vrnn.observe`, in seconds: one point of one track, in its own units, on one thread."""
    tracks = vrnn.Tracks(list(np.random.default_rng(0).normal(size=(64, 20, 2)).cumsum(1)))
    config = vrnn.VRNNConfig(x_dim=2, hidden=64, latent_dim=16, emission="full_gaussian")
    model = vrnn.train(config, tracks, vrnn.TrainConfig(steps=1), quiet=True).model
    belief, times = vrnn.initial_belief(model, particles=particles), []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for t in range(steps):
        started = time.perf_counter()
        belief, _ = vrnn.observe(model, belief, tracks.x[0][t % 20])
        times.append(time.perf_counter() - started)
    torch.set_num_threads(threads)
    return statistics.median(times)


def slope(sizes: tuple[int, ...], values: list[float]) -> float:
    """Slope of log value over log size."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def growth(rounds: int) -> dict[str, dict]:
    """Time and memory of a training step over its length and over its batch."""
    model, found = our_model(2, 64, 16), {}
    for name, sizes in (("time", LENGTHS), ("batch", BATCHES)):
        shapes = [(64, n) if name == "time" else (n, 100) for n in sizes]
        steps = {str(s): our_step(model, Batch.of(data(*s, 2)), "auto") for s in shapes}
        seconds = list(interleaved(steps, rounds).values())
        memory = [peak_memory(*s) for s in shapes]
        found[name] = {"sizes": sizes, "seconds": seconds, "bytes": memory,
                       "slope": slope(sizes, seconds), "memory_slope": slope(sizes, memory)}  # fmt: skip
    return found


def whole_training(scene: Path) -> dict:
    """Time the training of a VRNN of the pedestrians' page on one fold with the plain and then the fast loop, and evaluate both."""
    config, changes = SYSTEMS["vrnn"]
    train, val, test = (vrnn.read_tracks(scene / part) for part in ("train", "val", "test"))
    found = {}
    for kernel in ("plain", "auto"):
        settings = replace(SETTINGS, **changes, kernel=kernel)
        started = time.perf_counter()
        model = vrnn.train(config, train, settings, val=val).model
        seconds = time.perf_counter() - started
        scores = vrnn.evaluate(model, test).model
        found[kernel] = {
            "seconds": seconds,
            "ade": scores.min_ade,
            "fde": scores.min_fde,
            "nll": scores.nll,
        }
    return {"steps": settings.steps, "batch": settings.batch_size, **found}


def peak_memory(batch: int, time_: int) -> int:
    """Measure the memory that a training step adds to a fresh process, in bytes."""
    command = [sys.executable, "-m", "benchmarks.speed", "--memory", str(batch), str(time_)]
    command += ["--threads", str(torch.get_num_threads())]
    return int(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    )


def memory_of_step(batch: int, time_: int) -> int:
    """Take a step and give by how much the most memory ever held has grown, in bytes (Linux)."""
    our_step(
        our_model(2, 64, 16), Batch.of(data(2, 3, 2)), "auto"
    )()  # what is loaded on first use
    step = our_step(our_model(2, 64, 16), Batch.of(data(batch, time_, 2)), "auto")
    before = most_memory()
    step()
    return most_memory() - before


def most_memory() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(
        next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
    )


TEXT = """# Speed

Made by `python -m benchmarks.speed` on {threads} threads of a CPU ({machine}, {vectors}), float32. Medians of runs that take turns in one process.

- **Published**: a VRNN with the layers and the calls of a public PyTorch implementation that many others follow
  (github.com/emited/VariationalRecurrentNeuralNetwork), written for this comparison: every network inside the loop over time, two layers in
  the features of x, the encoder and the decoder, `nn.GRU` called on one step at a time. It is a larger model: 17 H² multiplications a step
  where ours has 14 H², H being the width.
- **Per step**: the same way of writing with the layers of ours, `nn.GRUCell` and a frugal loss, so that it does the multiplications that ours
  does.
- **Plain**: our loop in PyTorch, in which only what waits for the state stays inside.
- **Fast**: the same with that loop and the heads that read its states in C++, and a hand-derived backward pass (tested equal).
- **GRU**: `torch.nn.GRU` of the same width alone, with no latent, prior or emission.
- **Peak**: the time of a large matrix product with as many multiply-adds as our model needs, by PyTorch too: about what any form of it needs.

## A training step, forward and backward, milliseconds

{training}

**Every system**, at the second size, its loop over time and what reads whole sequences in PyTorch, and what serves it best. All but the VRNN, with a GRU and one hidden layer, need no loop in Python:
where nothing is missing their latents wait for no other, or for the one before alone, and cells, chains of latents and readers run in C++.

{systems}

## Without gradients, milliseconds

Width 64, latent 16, two dimensions. Filtering: {tracks} tracks of 20 rows, states, bound and all; with particles: 100 tracks of 20 rows, 100 particles each, resampled. Forecasting: {samples} futures of {horizon} rows after {observed} observed ones.
**Prefix read once**: all futures of a track go on from one draw of the state that its past leaves (`vrnn.forecast(..., states=1)`), in place of one each. **Peak** there is of the futures alone.

{inference}

`vrnn.forecast` of {windows:,} windows, as many as the largest scene of ETH/UCY has, {samples} futures each, from tracks to paths in their units: {scene:.0f} s.

`vrnn.observe`, one point of one track after the other (width 64, latent 16, full Gaussian) on one thread: a point takes {observing}.

**A whole training**: the VRNN of the [pedestrians](pedestrians.md) on the fold of ZARA1, {steps} steps of {batch} windows, validation and all, seed 0, by the plain and then by
the fast loop, one run each, the same noise in sums of another order; seconds of the training alone.

{whole}

## Growth of a training step

Width 64, latent 16; memory is what one step adds to a fresh process. A slope of 1 is proportional.

{growth}
"""


def page() -> None:
    """Write docs/speed.md from the result kept."""
    (result,) = kept("speed")
    ms = lambda v: f"{1e3 * v:.3g}"  # noqa: E731
    rows = [
        [
            "{}, {}, {}, {}, {}".format(*r["size"]),
            *(ms(r[k]) for k in ("published", "per step", "plain", "fast", "GRU", "peak")),
            *(f"{r[k] / r['fast']:.1f}" for k in ("published", "per step")), f"{r['fast'] / r['peak']:.2f}",
        ]
        for r in result["training"]
    ]  # fmt: skip
    head = ["batch, time, x, hidden, latent", "published", "per step", "plain", "fast", "GRU", "peak",
            "fast against published", "against per step", "fast over peak"]  # fmt: skip
    inference = [
        [name, *(ms(r[k]) if k in r else "" for k in ("published", "per step", "plain", "fast", "shared", "peak")),
         *(" / ".join(f"{r[other] / r[k]:.1f}" for other in ("published", "per step")) if {k, "published"} <= set(r) else ""
           for k in ("fast", "shared"))]
        for name, r in result["inference"].items()
    ]  # fmt: skip
    growth_rows = [
        [
            {"time": "length (batch 64)", "batch": "batch (length 100)"}[name],
            f"{r['sizes'][0]} to {r['sizes'][-1]}",
            f"{ms(r['seconds'][0])} to {ms(r['seconds'][-1])} ms", f"{r['slope']:.2f}",
            f"{r['bytes'][0] / 2**20:.0f} to {r['bytes'][-1] / 2**20:.0f} MiB", f"{r['memory_slope']:.2f}",
        ]
        for name, r in result["growth"].items()
    ]  # fmt: skip
    whole = [
        [name, f"{r['seconds']:.0f} s", f"{r['ade']:.3f}/{r['fde']:.3f}", f"{r['nll']:.2f}"]
        for name, r in (
            (name, result["pedestrians"][k]) for name, k in (("plain", "plain"), ("fast", "auto"))
        )
    ]
    PAGE.write_text(
        TEXT.format(
            threads=result["threads"],
            machine=result["machine"],
            vectors=result["vectors"],
            training=table(head, rows),
            systems=table(
                ["system", "plain", "fast", "plain over fast"],
                [
                    [name, ms(r["plain"]), ms(r["fast"]), f"{r['plain'] / r['fast']:.1f}"]
                    for name, r in result["systems"].items()
                ],
            ),
            tracks=TRACKS,
            samples=SAMPLES,
            horizon=HORIZON,
            observed=OBSERVED,
            inference=table(
                [
                    "",
                    "published",
                    "per step",
                    "plain",
                    "fast",
                    "prefix read once",
                    "peak",
                    "fast, against published / per step",
                    "prefix read once, against both",
                ],
                inference,
            ),
            windows=WINDOWS,
            scene=result["scene_seconds"],
            observing=", ".join(
                f"{ms(seconds)} ms with {count} particle{'s' * (count != '1')}"
                for count, seconds in result["observing"].items()
            ),
            steps=result["pedestrians"]["steps"],
            batch=result["pedestrians"]["batch"],
            whole=table(["loop", "training", "best of 20 samples, ADE/FDE", "NLL/step"], whole),
            growth=table(["over", "from, to", "time", "slope", "memory", "slope"], growth_rows),
        ),
        encoding="utf-8",
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with the scenes of ETH/UCY")
    parser.add_argument("--threads", type=int, default=2, help="of the processor")
    parser.add_argument("--rounds", type=int, default=15, help="of the runs that take turns")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    parser.add_argument("--memory", type=int, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.memory:
        print(memory_of_step(*given.memory))
        return
    if not given.page:
        scene = data_folder(given.data, "eth_ucy") / "zara1"
        many = lambda size: (
            3 * given.rounds if size[0] * size[1] < 10_000 else max(3, given.rounds // 3)
        )
        result = {
            "vectors": torch.backends.cpu.get_cpu_capability(),
            "training": [{"size": size, **training(size, many(size))} for size in SIZES],
            "systems": systems(max(3, given.rounds // 3)),
            "inference": {
                "filtering": filtering(given.rounds),
                "filtering with particles": particles(max(3, given.rounds // 3)),
                f"forecasting {TRACKS} tracks": forecasting(TRACKS, max(3, given.rounds // 3)),
                "forecasting one track": forecasting(1, 3 * given.rounds),
            },
            "growth": growth(given.rounds),
            "observing": {str(count): observing(count) for count in PARTICLES},
            "scene_seconds": whole_scene(WINDOWS),
            "pedestrians": whole_training(scene),
        }
        keep("speed", result)
    page()


if __name__ == "__main__":
    main()
