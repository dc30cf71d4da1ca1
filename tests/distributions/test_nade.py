"""NADE against its definition, one dimension after another, and against enumeration of all values."""

import math

import pytest
import scipy.stats
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vrnn.distributions import Distribution, Nade, Product, parse_emission
from vrnn.models.registry import make_model
from vrnn.models.vrnn import VRNNConfig

DIM, HIDDEN = 5, 3


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def binary(*shape: int, seed: int = 1) -> Tensor:
    return (draw(*shape, seed=seed) > 0).double()


@pytest.fixture
def nade() -> Nade:
    """A family whose dimensions depend strongly on one another."""
    family = Nade(DIM, HIDDEN).double()
    with torch.no_grad():
        family.W.copy_(2 * draw(DIM, HIDDEN, seed=2)), family.V.copy_(2 * draw(DIM, HIDDEN, seed=3))
    return family


def everything(dim: int = DIM) -> Tensor:
    """All values of x, (2^dim, dim)."""
    return torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * dim).reshape(-1, dim)


def by_definition(nade: Nade, raw: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Give log p(x) of one x (dim,) and p(x_i = 1 | x_{<i}), (dim,), from the published equations."""
    b, c, total, probabilities = raw[: nade.dim], raw[nade.dim :], torch.zeros(()).double(), []
    for i in range(nade.dim):
        a = c.clone()
        for j in range(i):
            a = a + x[j] * nade.W[j]
        p = 1 / (1 + torch.exp(-(b[i] + (nade.V[i] / (1 + torch.exp(-a))).sum())))
        total = total + (x[i] * p.log() + (1 - x[i]) * (1 - p).log())
        probabilities.append(p)
    return total, torch.stack(probabilities)


@torch.no_grad()
def test_log_prob_equals_the_definition(nade):
    raw, x = draw(40, nade.size), binary(40, DIM)
    x[0], x[1] = 0, 1
    expected = torch.stack([by_definition(nade, *pair)[0] for pair in zip(raw, x, strict=True)])
    torch.testing.assert_close(nade(raw).log_prob(x), expected, rtol=1e-12, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("dim", [1, 2, 7])
def test_mass_is_one(dim):
    family = Nade(dim, 4).double()
    family.W.mul_(5), family.V.mul_(5)
    total = family(draw(6, 1, family.size)).log_prob(everything(dim)).logsumexp(-1)
    torch.testing.assert_close(total, torch.zeros_like(total), rtol=0, atol=1e-12)


@torch.no_grad()
def test_law_of_samples(nade):
    raw, count = draw(nade.size), 20_000
    p = nade(raw)
    x = p.sample(draw(count, DIM, seed=4))
    assert ((x == 0) | (x == 1)).all()
    codes = (x @ 2.0 ** torch.arange(DIM - 1, -1, -1).double()).long().bincount(minlength=2**DIM)
    expected = count * p.log_prob(everything()).exp()
    likely = (
        expected > 5
    )  # the test's approximation needs that many, so the rest are counted together
    counts = [torch.cat([n[likely], n[~likely].sum()[None]]).numpy() for n in (codes, expected)]
    assert scipy.stats.chisquare(*counts).pvalue > 1e-2


@torch.no_grad()
def test_draws_invert_the_conditionals(nade):
    raw, noise = draw(30, nade.size), draw(30, DIM, seed=5)
    for one, normals, x in zip(raw, noise, nade(raw).sample(noise), strict=True):
        assert torch.equal(
            x, (torch.special.ndtr(normals) < by_definition(nade, one, x)[1]).double()
        )


def test_draws_are_safe_at_both_ends_and_have_no_gradient():
    family = Nade(4, 2)
    bias = torch.tensor([-50.0, 50.0, -1e4, 1e4])
    p = family(torch.cat([bias, torch.zeros(2)]).requires_grad_())
    for normal in (-6.0, 0.0, 6.0):
        x = p.sample(torch.full((4,), normal))
        assert x.tolist() == [0, 1, 0, 1] and x.dtype == torch.float32 and not x.requires_grad


@torch.no_grad()
def test_mean_feeds_probabilities_forward(nade):
    raw = draw(6, nade.size)
    p = nade(raw)
    exact = (p.log_prob(everything()[:, None]).exp()[..., None] * everything()[:, None]).sum(0)
    torch.testing.assert_close(p.mean[:, 0], exact[:, 0])
    for one, mean in zip(raw, p.mean, strict=True):
        torch.testing.assert_close(by_definition(nade, one, mean)[1], mean)


@torch.no_grad()
def test_mean_is_exact_without_dependence(nade):
    nade.W.zero_()
    p = nade(draw(nade.size))
    exact = p.log_prob(everything()).exp() @ everything()
    torch.testing.assert_close(p.mean, exact)


@torch.no_grad()
def test_any_leading_axes(nade):
    raw, x, noise = draw(4, 6, nade.size), binary(4, 6, DIM), draw(4, 6, DIM, seed=6)
    present = draw(4, 6, DIM, seed=7) > -1
    whole: Distribution = nade(raw)
    assert whole.mean.shape == whole.sample(noise).shape == (4, 6, DIM)
    for i in range(4):  # many states score one x, and one state scores many x
        one = nade(raw[i])
        torch.testing.assert_close(
            whole.log_prob(x[i], present[i])[i], one.log_prob(x[i], present[i])
        )
        torch.testing.assert_close(one.log_prob(x, present)[i], one.log_prob(x[i], present[i]))
        torch.testing.assert_close(whole.log_prob(x[:, :1])[i], one.log_prob(x[i, :1]))
        assert torch.equal(whole.sample(noise[i])[i], one.sample(noise[i]))
        assert torch.equal(one.sample(noise)[i], one.sample(noise[i]))
    alone = nade(raw[0, 0])
    assert alone.log_prob(x[0, 0]).shape == () and alone.sample(noise[0, 0]).shape == (DIM,)
    assert nade(raw[:0]).log_prob(x[:0]).shape == (0, 6)


def test_gradients_against_finite_differences(nade):
    raw, x = draw(2, 3, nade.size).requires_grad_(), binary(3, DIM)
    # The weights are perturbed in place, so the family need not be made anew of them.
    assert torch.autograd.gradcheck(lambda raw, W, V: nade(raw).log_prob(x), (raw, nade.W, nade.V))


def test_extreme_outputs_stay_finite():
    for size in (50.0, 1e4):
        raw = (draw(40, DIM + HIDDEN).float().sign() * size).requires_grad_()
        p = Nade(DIM, HIDDEN)(raw)
        value = p.log_prob(binary(40, DIM).float())
        (gradient,) = torch.autograd.grad(value.sum(), raw)
        assert value.isfinite().all() and gradient.isfinite().all() and p.mean.isfinite().all()


@pytest.mark.parametrize("other", [0.5, -1.0, 2.0, 1e9, torch.inf, torch.nan])
def test_values_without_mass(nade, other):
    raw, x = draw(2, nade.size).requires_grad_(), binary(2, DIM)
    x[0, 2] = other
    value = nade(raw).log_prob(x)
    assert value[0] == -torch.inf and value[1].isfinite()
    gradients = torch.autograd.grad(value.sum(), (raw, nade.W, nade.V))
    assert not gradients[0][0].any() and gradients[0][1].any()
    alone = torch.autograd.grad(nade(raw[1]).log_prob(x[1]), (nade.W, nade.V))
    for with_other, without in zip(gradients[1:], alone, strict=True):
        torch.testing.assert_close(with_other, without)


def test_rows_with_an_absent_entry_count_nothing(nade):
    raw, x = draw(40, nade.size).requires_grad_(), binary(40, DIM)
    present = draw(40, DIM, seed=8) > -1
    present[0], present[1] = False, True
    complete = present.all(-1)
    value = nade(raw).log_prob(x.masked_fill(~present, torch.nan), present)
    gradients = torch.autograd.grad(value.sum(), (raw, nade.W, nade.V))
    assert not value[~complete].any() and not gradients[0][~complete].any()
    assert torch.equal(value, nade(raw).log_prob(x.masked_fill(~present, 1e6), present))
    expected = nade(raw[complete]).log_prob(x[complete])
    torch.testing.assert_close(value[complete], expected)
    for found, g in zip(
        gradients[1:], torch.autograd.grad(expected.sum(), (nade.W, nade.V)), strict=True
    ):
        torch.testing.assert_close(found, g)


@torch.no_grad()
def test_a_sample_keeps_a_value_as_a_whole(nade):
    """A value that is there is kept; another is the draw from the same noise."""
    p, noise, x = nade(draw(40, nade.size)), draw(40, DIM, seed=8), binary(40, DIM)
    present = (torch.arange(40) % 2 == 0)[:, None].expand(40, DIM)
    found = p.sample(noise, x.masked_fill(~present, torch.nan), present)
    assert torch.equal(found, torch.where(present, x, p.sample(noise)))
    assert torch.equal(p.sample(noise, x), x)


def test_sizes():
    family = Nade(88, 100)
    assert (family.size, family.noise_size, family.factorises) == (188, 88, False)
    assert family.continuous == (False,) * 88 and family.counts() == (2,) * 88
    p = family(torch.zeros(188))
    x = p.sample(draw(2, 88).float())
    assert x.dtype == p.log_prob(x).dtype == p.mean.dtype == torch.float32
    assert family.double()(torch.zeros(188).double()).log_prob(x.double()).dtype == torch.float64


@torch.no_grad()
def test_begins_near_independence():
    """At the start no key's probability is far from the one that its bias alone gives."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        family = Nade(88, 100)
    mean = family(torch.cat([torch.full((88,), -3.0), torch.zeros(100)])).mean
    assert (mean.logit() + 3).abs().max() < 1.5


@pytest.mark.parametrize("emission", ["nade(3)", "nade(3):2+gaussian:1+nade(3):2"])
def test_weights_belong_to_the_model(emission, tmp_path):
    config = VRNNConfig(5, hidden=4, latent_dim=2, emission=emission)
    model = make_model(config).double()
    family = model.observation
    parts = family.parts if isinstance(family, Product) else (family,)
    weights = [w for part in parts if isinstance(part, Nade) for w in (part.W, part.V)]
    assert all(w.dtype == torch.float64 for w in weights)
    raw, x = draw(7, family.size), binary(7, 5)
    family(raw).log_prob(x).sum().backward()
    assert all(any(p is w for p in model.parameters()) and w.grad.any() for w in weights)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    again = make_model(config).double()
    assert not torch.equal(again.observation(raw).log_prob(x), family(raw).log_prob(x))
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(again.observation(raw).log_prob(x), family(raw).log_prob(x))
    assert len(model.state_dict()) == len(list(model.parameters()))


def test_learns_a_chord():
    """Two keys that are pressed together or not at all: ln 2 nats, where independent keys need 2 ln 2."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        family = parse_emission("nade(4)", 2)
    raw = torch.zeros(family.size, requires_grad=True)
    optimiser = torch.optim.Adam([raw, *family.parameters()], lr=0.1)
    x = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    for _ in range(300):
        loss = -family(raw).log_prob(x).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() == pytest.approx(math.log(2), abs=0.02)
