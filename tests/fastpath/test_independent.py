"""The kernel without a loop against the plain loop: values and all gradients."""

import pytest
import torch
from tests.models.settings import CONFIGS, LATENT, build, make_case, tensors
from vrnn.kernels.apart import COMPILED, fits, unroll_apart
from vrnn.models.loops import PLAIN
from vrnn.objectives.bounds import bound

from vrnn import kernels
from vrnn.inference.noise import draw_noise, seeded
from vrnn.inference.step import embed
from vrnn.inference.unroll import unroll
from vrnn.models.dmm import DMMConfig
from vrnn.models.encoders import SequenceEncoder
from vrnn.models.rollout import RolloutVAEConfig
from vrnn.models.srnn import SRNNConfig
from vrnn.objectives.elbo import elbo

MORE = {  # beside those of the contract's suite
    "dmm-deep": DMMConfig(2, depth=2, **LATENT),
    "srnn-deep": SRNNConfig(2, depth=2, **LATENT),
    "rollout-carried-affine": RolloutVAEConfig(2, depth=0, **LATENT),
    "rollout-carried-u": RolloutVAEConfig(2, u_dim=1, **LATENT),
    "rollout-carried-lstm": RolloutVAEConfig(2, cell="lstm", **LATENT),
    "rollout-sequence-deep": RolloutVAEConfig(
        2, depth=2, latent="driven", redraw="sequence", task="autoencoding", **LATENT
    ),
}
MODELS = {**CONFIGS, **MORE}
NAMES = [name for name in MODELS if build(MODELS[name]).apart]
CHAINED = [name for name in MODELS if build(MODELS[name]).chained]


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(
    ("name", "proposal"),
    [
        *((n, p) for n in NAMES for p in ("posterior", "prior")),
        *((n, "posterior") for n in CHAINED),
    ],
)
def test_equals_the_plain_loop(name, proposal, samples):
    model = build(MODELS[name])
    case = make_case(model, MODELS[name], samples=samples, gaps=False)
    embedded = embed(model, case.batch, case.prefix)
    assert fits(model, case.batch, proposal)
    results = []
    for kernel in (unroll_apart, unroll):
        found = kernel(model, case.batch, case.noise, proposal=proposal, embedded=embedded)
        value = elbo(model, found).bound.sum() + found.log_weight.square().sum()
        gradients = torch.autograd.grad(
            value, list(model.parameters()), allow_unused=True, retain_graph=True
        )
        compared = [t for field in found._fields[:-1] for t in tensors(getattr(found, field))]
        results.append(compared + [g for g in gradients if g is not None])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b.expand(a.shape), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "name", ["storn", "rnn", "seq2seq-same", "rollout-forecasting-step", "srnn", "dmm"]
)
def test_batches_with_gaps_take_the_loop(name):
    assert name in [*NAMES, *CHAINED]
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], gaps=True)
    assert not fits(model, case.batch, "posterior")
    embedded = embed(model, case.batch, case.prefix)
    for a, b in zip(
        tensors(kernels.unroll(model, case.batch, case.noise, embedded=embedded)),
        tensors(unroll(model, case.batch, case.noise, embedded=embedded)),
        strict=True,
    ):
        assert torch.equal(a, b)


def test_which_models_are_chained_is_said_by_their_layers():
    of_kind = lambda kind: {f"{kind}{more}" for more in ("", "-lstm-u", "-mixture-u", "-pen")}  # noqa: E731
    assert set(CHAINED) == of_kind("dmm") | of_kind("srnn") | {"dmm-deep"}
    assert {"rollout-carried-u", "rollout-carried-lstm", "rollout-sequence-deep"} <= set(NAMES)
    assert "rollout-carried-affine" not in NAMES


@pytest.mark.parametrize("name", ["dmm", "srnn", "storn", "vrnn"])
def test_noise_has_its_gradient(name):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], gaps=False)
    latent = case.noise.latent.requires_grad_()
    found = []
    for kernel in ("plain", "auto"):
        unrolled = kernels.unroll(
            model, case.batch, case.noise._replace(latent=latent), kernel=kernel
        )
        found.append(torch.autograd.grad(elbo(model, unrolled).bound.sum(), latent)[0])
    torch.testing.assert_close(*found, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize(
    "name", ["dmm", "srnn", "rollout-autoencoding-carried", "rollout-forecasting-sequence"]
)
def test_short_sequences(name, rows):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], gaps=False)
    batch, noise = case.batch.split(rows)[0], case.noise.steps(slice(rows))
    plain, auto = (
        kernels.unroll(
            model, batch, noise, embedded=kernels.embed(model, batch, case.prefix), kernel=kernel
        )
        for kernel in ("plain", "auto")
    )
    torch.testing.assert_close(plain.log_prob, auto.log_prob, rtol=1e-10, atol=1e-10)


READ = [
    name
    for name in CONFIGS
    if any("reader" in part for part, _ in build(CONFIGS[name]).named_modules())
]


@pytest.mark.parametrize("name", READ)
def test_what_reads_whole_sequences_equals_its_plain_form(name):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], gaps=True)
    results = []
    for kernel in ("plain", "auto"):
        embedded = kernels.embed(model, case.batch, case.prefix, kernel=kernel, row_by_row=True)
        gradients = torch.autograd.grad(
            sum(part.square().sum() for part in embedded),
            list(model.parameters()),
            allow_unused=True,
        )
        results.append([*embedded, *(g for g in gradients if g is not None)])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["srnn", "dmm", "storn", "vrnn"])
def test_a_particle_bound_reads_the_same_by_every_kernel(name):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], gaps=True)
    noise = draw_noise(model, 4, *case.batch.x.shape[:2], seeded(1), resampling=True)
    values = [
        bound(model, case.batch, noise, "fivo", kernel=kernel).bound for kernel in ("plain", "auto")
    ]
    torch.testing.assert_close(*values, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("loops", [PLAIN, COMPILED], ids=["plain", "compiled"])
def test_what_lies_past_a_track_is_not_read(loops):
    encoder = SequenceEncoder("gru", 2, 5).double()
    x, length = torch.randn(3, 6, 2, dtype=torch.float64), torch.tensor([4, 1, 0])
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        x, length.clamp(min=1), batch_first=True, enforce_sorted=False
    )
    expected = encoder.cell(packed)[1][0]
    past = torch.arange(6) >= length.clamp(min=1)[:, None]
    found = encoder(torch.where(past[..., None], torch.nan, x), length, loops)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    weights = list(encoder.parameters())
    for a, b in zip(
        *(torch.autograd.grad(h.square().sum(), weights) for h in (found, expected)), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
