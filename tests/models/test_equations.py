"""The equations of the models' pages, written out once more, against what a pass computes."""

import pytest
import torch
from tests.models.settings import CONFIGS, build, each, make_case, run, tensors
from torch import Tensor
from torch.nn.functional import softplus

from vrnn.distributions import SCALE_FLOOR, DiagonalGaussian
from vrnn.inference.traits import has_posterior
from vrnn.models.contract import Model

TIME = 4
SYSTEMS = [
    name
    for name, config in CONFIGS.items()
    if config.u_dim == 0
    and getattr(config, "cell", "") == "gru"
    and getattr(config, "latent", "gaussian") == "gaussian"
]


def read(cell, x: Tensor, h: Tensor) -> Tensor:
    """h_t = f(x_t, h_{t-1})"""
    return cell.step(cell.project(x), h)


def beside(*parts: Tensor) -> Tensor:
    lead = torch.broadcast_shapes(*(p.shape[:-1] for p in parts))
    return torch.cat([p.expand(*lead, -1) for p in parts], -1)


def rnn(model: Model, x, u, prefix, noise):
    h = model.h0.expand(1, 1, -1)
    for t in range(TIME):
        if model.supervised:
            h = read(model.cell, model.features(u[:, t]), h)
            yield model.head(beside(h, u[:, t])), h[..., :0]
        else:
            yield model.head(h), h[..., :0]
            h = read(model.cell, model.features(x[:, t]), h)


def seq2seq(model: Model, x, u, prefix, noise):
    h, g = model.encoder0.expand(1, 1, -1), model.decoder0.expand(1, 1, -1)
    for t in range(TIME):
        before = h
        if model.supervised:
            h = read(model.encoder, model.features(u[:, t]), h)
        if model.same:
            h = read(model.encoder, model.features(x[:, t]), h)
        z = model.latent_head(beside(h, u[:, t])).sample(noise.latent[:, :, t])
        g = read(model.decoder, z, g)
        yield model.head(beside(g, u[:, t])), z
        if not model.supervised:
            h = read(model.encoder, model.features(x[:, t]), before)


def rollout(model: Model, x, u, prefix, noise):
    n = model.n
    track = x if prefix is None else prefix
    carry = model.reader(
        torch.cat([track, torch.ones_like(track)], -1), torch.tensor([track.shape[1]])
    )
    table = model.kind(model.table_net(carry))
    if model.per_step:
        z = noise.global_latent  # z'_0
    else:
        z0 = table.sample(noise.global_latent[..., :n])
        z = z0 if model.carried else noise.global_latent[..., n:]
    if prefix is not None:
        h, last = carry.expand(1, 1, -1), model.cell.project(model.features(prefix[:, -1]))
    else:
        h, last = model.h0.expand(1, 1, -1), model.x0
        h = h if model.per_step else h + model.h0_latent(z0)
    for t in range(TIME):
        if not model.carried:
            z0_t = table.sample(noise.latent[:, :, t]) if model.per_step else z0
            z = model.next_latent(beside(z0_t, z))
        h = model.cell.step(last + model.latent_gates(z), h)
        yield model.head(h), z0_t if model.per_step else z0[..., :0]
        if model.carried:
            z = model.next_latent(h)
        last = model.cell.project(model.features(x[:, t]))


def vrnn(model: Model, x, u, prefix, noise):
    h = model.h0.expand(1, 1, -1)
    for t in range(TIME):
        if not model.learns_posterior:
            q = model.prior_head(beside(h, u[:, t]))
        else:
            of_x = (model.y_features if model.supervised else model.x_features)(x[:, t])
            q = model.posterior_head(model.posterior_head.project(beside(of_x, u[:, t])), h)
        z = q.sample(noise.latent[:, :, t])
        phi = model.z_features(z)
        yield model.head(beside(phi, h, u[:, t])), z
        inputs = model.u_features(u[:, t]) if model.supervised else model.x_features(x[:, t])
        h = model.cell.step(model.cell.project(inputs) + model.latent_gates(phi), h)


def rows_read(encoder, x: Tensor) -> list[Tensor]:
    """a_t = f(x_t, a_{t+1}) from the last row on, or b_t = f(x_t, b_{t-1}) from the first."""
    weights, a, outputs = (
        list(encoder.network.parameters()),
        x.new_zeros(1, encoder.network.hidden_size),
        {},
    )
    for t in range(TIME)[:: -1 if encoder.backward else 1]:
        outputs[t] = a = torch.gru_cell(x[:, t], a, *weights)
    return [outputs[t] for t in range(TIME)]


def dmm(model: Model, x, u, prefix, noise):
    z, transition, n = model.z0.expand(1, 1, -1), model.prior_head, model.latent.dim
    evidence = rows_read(model.reader, torch.cat([x, torch.ones_like(x)], -1))
    for t in range(TIME):
        gate, h = torch.sigmoid(transition.gate(z)), transition.proposed(z)
        mean = (1 - gate) * transition.linear(z) + gate * h
        prior = DiagonalGaussian(mean, SCALE_FLOOR + softplus(transition.scale(h.relu())))
        combined = (torch.tanh(model.latent_layer(z)) + evidence[t]) / 2
        mean, raw = model.posterior_head.net(combined).split([n, n], -1)
        z = DiagonalGaussian(mean, SCALE_FLOOR + softplus(raw)).sample(noise.latent[:, :, t])
        yield model.head(z), z, prior


def srnn(model: Model, x, u, prefix, noise):
    z, d = model.z0.expand(1, 1, -1), model.d0.expand(1, 1, -1)
    there = torch.cat([x, torch.ones_like(x)], -1)
    evidence = rows_read(model.reader, there)
    for t in range(TIME):
        prior = model.prior_head(beside(z, d))
        read_now = model.posterior_head.project(torch.cat([evidence[t], there[:, t]], -1))
        residual = model.posterior_head(read_now, beside(z, d))
        posterior = DiagonalGaussian(prior.mean + residual.mean, residual.scale)
        z = posterior.sample(noise.latent[:, :, t])
        yield model.head(beside(z, d)), z, prior
        d = read(model.cell, model.features(x[:, t]), d)


def storn(model: Model, x, u, prefix, noise):
    h, last = model.h0.expand(1, 1, -1), model.x0
    there = torch.cat([x, torch.ones_like(x)], -1)
    forward, backward = rows_read(model.reader, there), rows_read(model.backward_reader, there)
    for t in range(TIME):
        raw = model.posterior_net(beside(forward[t], backward[t]))
        z = model.latent(raw).sample(noise.latent[:, :, t])
        h = model.cell.step(last + model.latent_gates(z), h)
        yield model.head(h), z
        last = model.cell.project(model.features(x[:, t]))


def rssm(model: Model, x, u, prefix, noise):
    h, z = model.h0.expand(1, 1, -1), model.z0.expand(1, 1, -1)
    for t in range(TIME):
        h = read(model.cell, model.features(z), h)
        read_now = model.x_features(torch.cat([x[:, t], torch.ones_like(x[:, t])], -1))
        posterior = model.posterior_head(model.posterior_head.project(read_now), h)
        z = posterior.sample(noise.latent[:, :, t])
        yield model.head(beside(h, z)), z, model.prior_head(h)


EQUATIONS = {
    "rnn": rnn, "seq2seq": seq2seq, "rollout": rollout, "vrnn": vrnn, "dmm": dmm, "srnn": srnn, "storn": storn,
    "rssm": rssm,
}  # fmt: skip


@torch.no_grad()
@pytest.mark.parametrize("name", SYSTEMS)
def test_pass_computes_the_equations_of_the_system(name):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], samples=1, gaps=False)
    batch, _ = case.batch.sequences(slice(1)).split(TIME)
    prefix, noise = case.prefix, case.noise.sequences(slice(1))
    if prefix is not None:
        prefix = prefix.sequences(slice(1))
        prefix = prefix._replace(present=torch.ones_like(prefix.present))
    noise = noise._replace(latent=noise.latent[:, :, :TIME])
    unrolled = run(model, case._replace(prefix=prefix, batch=batch, noise=noise))
    given = None if prefix is None else prefix.x
    equations = EQUATIONS[name.split("-")[0]](model, batch.x, batch.u, given, noise)
    for t, (raw, z, *prior) in enumerate(equations):
        for found, expected in zip(
            tensors(unrolled.emission), tensors(model.observation(raw)), strict=True
        ):
            torch.testing.assert_close(
                found[:, :, t].flatten(), expected.flatten(), rtol=1e-9, atol=1e-10
            )
        torch.testing.assert_close(unrolled.latent[:, :, t], z.reshape(1, 1, -1))
        for given in prior:
            for found, expected in zip(unrolled.prior, given, strict=True):
                torch.testing.assert_close(found[:, :, t], expected)


@torch.no_grad()
@pytest.mark.parametrize("name", each([n for n in CONFIGS if not n.startswith("rnn")]))
def test_prior_is_what_the_system_declares(name):
    model = build(CONFIGS[name])
    case = make_case(model, CONFIGS[name], gaps=False)
    unrolled, forced = run(model, case), run(model, case, "prior")
    u_dim = case.batch.u.shape[-1]
    standard = ("seq2seq-same", "vrnn-standard", "rollout-auto", "storn")
    standard = [unrolled.prior] if name.startswith(standard) else []
    standard += [unrolled.once.prior] if name.startswith("rollout-auto") else []
    for prior in standard:
        mean, scale = prior.table.unbind(-1)
        assert torch.equal(mean, torch.zeros_like(mean))
        assert torch.equal(scale, torch.ones_like(scale))
        uniform = prior.probabilities
        torch.testing.assert_close(uniform, torch.full_like(uniform, 1 / 3))
    for passed in (forced,) if has_posterior(model, u_dim) else (unrolled, forced):
        assert passed.prior is passed.posterior and passed.once.prior is passed.once.posterior
    if has_posterior(model, u_dim):
        moved = case.batch._replace(x=case.batch.x.roll(1, 0))
        other = run(model, case._replace(batch=moved))
        pairs = zip(
            (unrolled.posterior, unrolled.once.posterior),
            (other.posterior, other.once.posterior),
            strict=True,
        )
        assert any(
            not torch.equal(a.mean[..., :1, :], b.mean[..., :1, :]) for a, b in pairs
        )  # it reads its own point
