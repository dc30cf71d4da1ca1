"""Going through a sequence chunk by chunk: the same training in less memory, and truncated back-propagation as by hand."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from tests.models.settings import CONFIGS, build, make_case
from tests.training.runs import CONFIG, SETTINGS, walks

import vrnn
from vrnn.errors import ConfigError
from vrnn.inference.unroll import unroll
from vrnn.objectives.elbo import elbo
from vrnn.training.objective import Objective, Work

WHOLE = replace(SETTINGS, energy_weight=0.0)
STEPWISE = [
    name
    for name in CONFIGS
    if not (m := build(CONFIGS[name])).looks_ahead and not m.code_dim and not m.conditions
]


def gradients(name: str, free_bits: float = 0.0, gaps: bool = True, **settings):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], gaps=gaps)
    config = vrnn.TrainConfig(free_bits=free_bits, **settings)
    objective = Objective(model, config, None, 0, torch.ones(model.family.dim).double())
    terms = objective(Work(None, case.batch, case.noise, None), 0.7)
    (terms.nll + terms.penalty).sum().backward()
    return terms, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("free_bits", [0.0, 0.1])
@pytest.mark.parametrize("chunk", [1, 4, 8])
@pytest.mark.parametrize("gaps", [True, False])
@pytest.mark.parametrize("name", STEPWISE)
def test_chunks_change_neither_terms_nor_gradients(name, gaps, chunk, free_bits):
    """With gaps within and across chunks and without, and sequences that end before the last one begins."""
    whole, of_whole = gradients(name, free_bits, gaps)
    parts, of_parts = gradients(name, free_bits, gaps, chunk=chunk)
    for expected, found in zip(whole, parts, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)
    for key, expected in of_whole.items():
        torch.testing.assert_close(of_parts[key], expected, rtol=1e-8, atol=1e-10)


def test_truncated_gradients_are_those_of_a_detached_state():
    model = build(CONFIGS["vrnn"])
    case = make_case(model, CONFIGS["vrnn"], gaps=False)
    batch, noise = (
        case.batch.rows(slice(0, 1)).steps(0, 8),
        case.noise.rows(slice(0, 1)).steps(slice(0, 8)),
    )
    first = unroll(model, batch.steps(0, 4), noise.steps(slice(0, 4)))
    left = first.belief.map(torch.detach)
    second = unroll(model, batch.steps(4, 8), noise.steps(slice(4, 8)), start=left)
    loss = -sum(elbo(model, part).bound.mean(0).sum() for part in (first, second))
    by_hand = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    config = vrnn.TrainConfig(chunk=4, truncate=True)
    objective = Objective(model, config, None, 0, torch.ones(model.family.dim).double())
    terms = objective(Work(None, batch, noise, None), 1.0)
    found = torch.autograd.grad(
        (terms.nll + terms.penalty).sum(), list(model.parameters()), allow_unused=True
    )
    for a, b in zip(found, by_hand, strict=True):
        torch.testing.assert_close(a, b)


def test_training_in_chunks_is_the_training():
    def run(**more):
        return vrnn.train(walks(), config=CONFIG, training=replace(WHOLE, **more), quiet=True)

    whole, parts, cut = run(), run(chunk=3), run(chunk=3, truncate=True)
    last = [r.history[-1]["val_bound"] for r in (whole, parts, cut)]
    assert last[1] == pytest.approx(last[0], abs=1e-4) and last[2] != pytest.approx(
        last[0], abs=1e-4
    )


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (CONFIG, {"chunk": 0}, "chunk of at least 1"),
        (CONFIG, {"truncate": True}, "set chunk"),
        (CONFIG, {"chunk": 4, "objective": "iwae", "samples": 2}, "found objective 'iwae'"),
        (CONFIG, {"chunk": 4, "energy_weight": 1.0}, "found futures"),
        (
            CONFIG,
            {"chunk": 4, "observe": 3, "transform": vrnn.TransformConfig(heading=True)},
            "found a heading transform",
        ),
        (vrnn.SRNNConfig(2, hidden=4), {"chunk": 4}, "found SRNN"),
        (vrnn.RolloutVAEConfig(2, hidden=4), {"chunk": 4, "observe": 3}, "found RolloutVAE"),
    ],
)
def test_what_cannot_be_gone_through_in_chunks_is_refused(config, settings, message):
    with pytest.raises(ConfigError, match=message):
        vrnn.train(walks(), config=config, training=vrnn.TrainConfig(**settings), quiet=True)


MEMORY = """
import resource, sys, numpy as np, torch, vrnn
torch.set_num_threads(1)
rows, chunk = int(sys.argv[1]), int(sys.argv[2])
tracks = vrnn.Tracks([np.random.default_rng(0).normal(size=(rows, 2)).cumsum(0)])
settings = vrnn.TrainConfig(steps=2, chunk=chunk or None, holdout=0.0, warmup=0)
vrnn.train(tracks, config=vrnn.VRNNConfig(2, hidden=64), training=settings, quiet=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_ten_thousand_rows_are_trained_on_in_the_memory_of_a_chunk():
    def peak(rows: int, chunk: int) -> float:
        command = [sys.executable, "-c", MEMORY, str(rows), str(chunk)]
        return (
            int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1024
        )

    base, long, whole = peak(200, 200), peak(10_000, 200), peak(10_000, 0)
    assert long - base < 0.3 * (whole - base), (base, long, whole)
