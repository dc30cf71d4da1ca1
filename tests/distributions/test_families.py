"""Every method of every family, against scipy and torch.distributions."""

import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
import scipy.stats
import torch
import torch.distributions as td
import torch.nn.functional as F
from torch import Tensor

from vrnn.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Family,
    FullGaussian,
    Gaussian,
    Mixture,
    Nade,
    Product,
    StudentT,
    parse_emission,
)
from vrnn.distributions.choice import choose
from vrnn.distributions.student_t import StudentTDistribution, log_gamma_step
from vrnn.errors import ConfigError

FLOOR = 1e-3


def gaussian(raw: Tensor, dim: int) -> td.Distribution:
    return td.Independent(td.Normal(raw[..., :dim], FLOOR + F.softplus(raw[..., dim:])), 1)


def full_gaussian(raw: Tensor, dim: int) -> td.Distribution:
    scale = FLOOR + F.softplus(raw[..., dim : 2 * dim])
    unit = torch.eye(dim, dtype=raw.dtype).expand(*raw.shape[:-1], dim, dim).clone()
    entries = iter(raw[..., 2 * dim :].unbind(-1))
    for column in range(dim):
        for row in range(column + 1, dim):
            unit[..., row, column] = next(entries)
    return td.MultivariateNormal(raw[..., :dim], scale_tril=scale[..., None] * unit)


def mixture(raw: Tensor, dim: int, components: int) -> td.Distribution:
    of_each = full_gaussian(raw[..., components:].unflatten(-1, (components, -1)), dim)
    return td.MixtureSameFamily(td.Categorical(logits=raw[..., :components]), of_each)


def student_t(raw: Tensor, dim: int) -> td.Distribution:
    location, scale, degrees = raw.split(dim, -1)
    return td.Independent(
        td.StudentT(2.01 + F.softplus(degrees), location, FLOOR + F.softplus(scale)), 1
    )


def bernoulli(raw: Tensor) -> td.Distribution:
    return td.Independent(td.Bernoulli(logits=raw), 1)


def categorical(raw: Tensor) -> td.Distribution:
    return td.Categorical(logits=raw)


class Case(NamedTuple):
    """A family, its reference by parts (columns, outputs, law), and the codes of each discrete column."""

    family: Family
    parts: tuple[tuple[int, int, Callable[[Tensor], td.Distribution]], ...]
    classes: tuple[int, ...] = ()

    def reference(self, raw: Tensor, x: Tensor) -> Tensor:
        total = torch.zeros((), dtype=raw.dtype)
        for dims, size, make in self.parts:
            part, raw, columns, x = (
                make(raw[..., :size]),
                raw[..., size:],
                x[..., :dims],
                x[..., dims:],
            )
            total = total + part.log_prob(columns if part.event_shape else columns[..., 0])
        return total


CASES = {
    "gaussian": Case(Gaussian(2), ((2, 4, lambda raw: gaussian(raw, 2)),)),
    "full_gaussian of 1": Case(FullGaussian(1), ((1, 2, lambda raw: full_gaussian(raw, 1)),)),
    "full_gaussian of 2": Case(FullGaussian(2), ((2, 5, lambda raw: full_gaussian(raw, 2)),)),
    "full_gaussian of 4": Case(FullGaussian(4), ((4, 14, lambda raw: full_gaussian(raw, 4)),)),
    "mixture of 1": Case(Mixture(1, 3), ((1, 9, lambda raw: mixture(raw, 1, 3)),)),
    "mixture of 2": Case(Mixture(2, 3), ((2, 18, lambda raw: mixture(raw, 2, 3)),)),
    "student_t of 1": Case(StudentT(1), ((1, 3, lambda raw: student_t(raw, 1)),)),
    "student_t of 2": Case(StudentT(2), ((2, 6, lambda raw: student_t(raw, 2)),)),
    "bernoulli": Case(Bernoulli(3), ((3, 3, bernoulli),), classes=(2, 2, 2)),
    "categorical": Case(Categorical(4), ((1, 4, categorical),), classes=(4,)),
    "pen": Case(
        Product((Mixture(2, 3), Bernoulli(1))),
        ((2, 18, lambda raw: mixture(raw, 2, 3)), (1, 1, bernoulli)),
        classes=(2,),
    ),
    "product that factorises": Case(
        Product((StudentT(1), Categorical(3), Gaussian(1))),
        (
            (1, 3, lambda raw: student_t(raw, 1)),
            (1, 3, categorical),
            (1, 2, lambda raw: gaussian(raw, 1)),
        ),
        classes=(3,),
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def distribution(case: Case, *lead: int, seed: int = 0) -> tuple[Tensor, Distribution]:
    raw = draw(*lead, case.family.size, seed=seed).requires_grad_()
    return raw, case.family(raw)


def values(case: Case, *lead: int, seed: int = 1) -> Tensor:
    """Observations with some mass or density: normals, and codes in discrete columns."""
    x, classes = draw(*lead, case.family.dim, seed=seed), iter(case.classes)
    for column, continuous in enumerate(case.family.continuous):
        if not continuous:
            x[..., column] = (x[..., column].abs() * 1.5).floor().clamp(max=next(classes) - 1)
    return x


def assert_finite(*tensors: Tensor | None) -> None:
    for tensor in tensors:
        assert tensor is not None and tensor.isfinite().all()


@every_case
def test_log_prob_equals_the_reference(case):
    raw, p = distribution(case, 5, 7)
    x = values(case, 5, 7)
    assert p.log_prob(x).shape == (5, 7)
    torch.testing.assert_close(p.log_prob(x), case.reference(raw, x), rtol=1e-9, atol=1e-9)
    assert torch.equal(p.log_prob(x, torch.ones_like(x, dtype=torch.bool)), p.log_prob(x))


def test_student_t_equals_scipy():
    x, df = draw(50), draw(50, seed=1).exp() * 20 + 2
    p = StudentTDistribution(torch.zeros(50, 1).double(), torch.ones(50, 1).double(), df[:, None])
    expected = torch.from_numpy(scipy.stats.t.logpdf(x.numpy(), df.numpy()))
    torch.testing.assert_close(p.log_prob(x[:, None]), expected, rtol=1e-10, atol=1e-10)


@every_case
def test_mass_is_one(case):
    if sum(case.family.continuous) > 2:
        pytest.skip("a grid over four dimensions is too large")
    # x = sinh(s) reaches far into heavy tails; the trapezoidal rule is then accurate to rounding.
    s = torch.linspace(-12, 12, 481, dtype=torch.float64)
    classes = iter(case.classes)
    nodes, weights = [], []
    for continuous in case.family.continuous:
        codes = None if continuous else torch.arange(next(classes), dtype=torch.float64)
        nodes.append(s.sinh() if codes is None else codes)
        weights.append(
            s.cosh().log() + math.log(s[1] - s[0]) if codes is None else torch.zeros_like(codes)
        )
    x = torch.cartesian_prod(*nodes).reshape(-1, case.family.dim)
    measure = torch.cartesian_prod(*weights).reshape(-1, case.family.dim).sum(-1)
    p = case.family(0.5 * draw(case.family.size))  # peaks that the grid resolves
    total = (p.log_prob(x) + measure).logsumexp(-1)
    torch.testing.assert_close(total, torch.zeros_like(total), rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    "name", [name for name in CASES if "student_t" not in name and name != "categorical"]
)
def test_moments_of_samples(name):
    case, count = CASES[name], 20_000
    raw, p = distribution(case)
    x = p.sample(draw(count, case.family.noise_size, seed=2)).detach()
    # Student's t has no fourth moment here, and a code no mean: both are left to tests of the law of samples.
    kept = torch.tensor(
        [0, 1, 2] if name == "pen" else [2] if "product" in name else range(case.family.dim)
    )
    error = (x.mean(0) - p.mean)[kept].abs() / (x.std(0)[kept] / count**0.5)
    assert error.max() < 4.5
    start_x = start_raw = 0
    for dims, size, make in case.parts:
        part, columns = (
            make(raw.detach()[start_raw : start_raw + size]),
            slice(start_x, start_x + dims),
        )
        start_x, start_raw = start_x + dims, start_raw + size
        if not set(range(columns.start, columns.stop)) <= set(kept.tolist()):
            continue
        if isinstance(part, td.MixtureSameFamily):
            inner, w = part.component_distribution, part.mixture_distribution.probs
            centred = inner.mean - part.mean
            expected = torch.einsum("k,kij->ij", w, inner.covariance_matrix)
            expected = expected + torch.einsum("k,ki,kj->ij", w, centred, centred)
        else:
            expected = getattr(part, "covariance_matrix", part.variance.diag())
        centred = x[:, columns] - x[:, columns].mean(0)
        products = centred[:, :, None] * centred[:, None, :]
        assert ((products.mean(0) - expected).abs() / (products.std(0) / count**0.5)).max() < 4.5


def test_law_of_samples_of_student_t():
    raw = torch.tensor(
        [[0.3, -1.0, -4.0], [-0.5, 0.5, 3.0], [1.0, 0.0, 100.0]], dtype=torch.float64
    )
    p = StudentT(1)(raw)
    x = p.sample(draw(5000, 3, 2, seed=3))[..., 0]
    for column in range(3):
        law = scipy.stats.t(p.degrees[column].item(), p.mean[column].item(), p.scale[column].item())
        assert scipy.stats.kstest(x[:, column].numpy(), law.cdf).pvalue > 1e-2


def test_tail_of_student_t_is_exact_in_single_precision():
    # With V = 1/2 the cosine is -1, and half the squared radius has the law F(2, v), whose tail at it is U.
    p = StudentTDistribution(torch.zeros(3), torch.ones(3), torch.tensor([2.01, 5.0, 50.0]))
    for normal in (-6.0, -1.0, 0.0, 4.0):
        x = p.sample(torch.tensor([normal] * 3 + [0.0] * 3))
        assert (x < 0).all()
        tail = scipy.stats.f(2, p.degrees.numpy()).logsf(x.square().numpy() / 2)
        assert tail == pytest.approx([scipy.stats.norm.logcdf(normal)] * 3, rel=2e-3)


def test_law_of_samples_of_full_gaussian():
    case = CASES["full_gaussian of 4"]
    raw, p = distribution(case)
    x = p.sample(draw(5000, 4, seed=4))
    squared = (
        2 * (p.log_prob(p.mean) - p.log_prob(x)).detach()
    )  # Mahalanobis distance, chi-squared in 4 dimensions
    assert scipy.stats.kstest(squared.numpy(), scipy.stats.chi2(4).cdf).pvalue > 1e-2
    torch.testing.assert_close(p.covariance, full_gaussian(raw, 4).covariance_matrix)


def test_covariance_of_full_gaussian_has_any_leading_axes():
    raw = draw(5, 7, FullGaussian(4).size)
    expected = full_gaussian(raw, 4).covariance_matrix
    torch.testing.assert_close(FullGaussian(4)(raw).covariance, expected)


def test_law_of_samples_of_discrete_choices():
    logits, count = draw(5), 10_000
    codes = Categorical(5)(logits).sample(draw(count, 1, seed=5))[:, 0]
    expected = count * logits.softmax(-1).numpy()
    assert scipy.stats.chisquare(codes.long().bincount(minlength=5).numpy(), expected).pvalue > 1e-2
    # Components 100 apart and 0.1 wide: which one a sample comes from can be read off its value.
    outputs = torch.stack([100.0 * torch.arange(5), torch.full((5,), -2.0)], -1).double()
    x = Mixture(1, 5)(torch.cat([logits, outputs.flatten()])).sample(draw(count, 2, seed=6))
    chosen = (x[:, 0] / 100).round().long()
    assert scipy.stats.chisquare(chosen.bincount(minlength=5).numpy(), expected).pvalue > 1e-2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_choice_is_safe_at_both_ends(dtype):
    normal = torch.tensor([-40.0, -6.0, 6.0, 40.0], dtype=dtype)
    never = torch.full((100,), -1e4, dtype=dtype)
    logits = torch.cat([never, torch.linspace(-1, 1, 301, dtype=dtype), never])
    chosen = choose(logits, normal)
    assert chosen.tolist() == [100, 100, 400, 400]
    assert choose(torch.tensor([0.0], dtype=dtype), normal).tolist() == [0, 0, 0, 0]


@every_case
def test_absent_entries_are_never_read(case):
    raw, p = distribution(case, 40)
    x = values(case, 40)
    present = draw(*x.shape, seed=7) > -0.5
    present[0], present[1] = False, True
    holes = x.masked_fill(~present, torch.nan).requires_grad_()
    value = p.log_prob(holes, present)
    value.sum().backward()
    assert_finite(value, raw.grad)
    assert torch.equal(value, p.log_prob(x.masked_fill(~present, 1e6), present))
    assert value[0] == 0 and value[1] == p.log_prob(x)[1]
    assert (raw.grad[0] == 0).all()
    if any(case.family.continuous):
        assert (holes.grad[~present] == 0).all() and holes.grad.isfinite().all()


@every_case
def test_missing_entries_leave_the_marginal(case):
    raw, p = distribution(case, 6)
    x = values(case, 6)
    single = torch.eye(case.family.dim, dtype=torch.bool)
    if case.family.factorises:
        parts = sum(p.log_prob(x, mask.expand_as(x)) for mask in single)
        torch.testing.assert_close(parts, p.log_prob(x))
    elif isinstance(case.family, Product):
        alone = case.family.parts[1](raw[:, -1:]).log_prob(x[:, 2:])
        assert torch.equal(p.log_prob(x, torch.tensor([True, False, True]).expand_as(x)), alone)
    elif case.family.dim > 1:
        assert all((p.log_prob(x, ~mask.expand_as(x)) == 0).all() for mask in single)


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [50.0, 1e4])
def test_extreme_outputs_stay_finite(case, size, dtype):
    if case is CASES["full_gaussian of 4"] and size == 1e4 and dtype == torch.float32:
        pytest.skip("past three dimensions squared residuals leave the range of float32")
    raw = draw(40, case.family.size, dtype=dtype).sign() * size
    raw[0], raw[1] = size, -size
    raw.requires_grad_()
    p = case.family(raw)
    value = p.log_prob(values(case, 40).to(dtype))
    (gradient,) = torch.autograd.grad(value.sum(), raw)
    assert_finite(value, gradient, p.mean)
    for normal in (-8.0, 0.0, 5.0):
        x = case.family(raw).sample(torch.full((40, case.family.noise_size), normal, dtype=dtype))
        assert_finite(x)
        if x.requires_grad:
            assert_finite(*torch.autograd.grad(x.sum(), raw))


@every_case
def test_gradients_against_finite_differences(case):
    raw = draw(3, case.family.size).requires_grad_()
    x = values(case, 3)
    assert torch.autograd.gradcheck(lambda raw: case.family(raw).log_prob(x), raw)
    if all(case.family.continuous):
        noise = draw(3, case.family.noise_size, seed=8)
        x.requires_grad_()
        assert torch.autograd.gradcheck(lambda x: case.family(raw.detach()).log_prob(x), x)
        assert torch.autograd.gradcheck(lambda raw: case.family(raw).sample(noise), raw)


@every_case
def test_any_leading_axes(case):
    family = case.family
    raw, x, noise = (
        draw(4, 5, family.size),
        values(case, 4, 5),
        draw(4, 5, family.noise_size, seed=9),
    )
    present = draw(*x.shape, seed=10) > -1
    whole = family(raw)
    assert whole.mean.shape == whole.sample(noise).shape == (4, 5, family.dim)
    for i in range(4):  # many states score one x, and one state scores many x
        one = family(raw[i])
        torch.testing.assert_close(
            whole.log_prob(x[i], present[i])[i], one.log_prob(x[i], present[i])
        )
        torch.testing.assert_close(one.log_prob(x, present)[i], one.log_prob(x[i], present[i]))
        torch.testing.assert_close(whole.sample(noise[i])[i], one.sample(noise[i]))
        torch.testing.assert_close(one.sample(noise)[i], one.sample(noise[i]))
    alone = family(raw[0, 0])
    assert alone.log_prob(x[0, 0]).shape == ()
    torch.testing.assert_close(alone.sample(noise[0, 0]), whole.sample(noise)[0, 0])


def kept_and_drawn(case: Case, seed: int = 12) -> tuple[Distribution, Tensor, Tensor, Tensor]:
    """Return a distribution, values, which of them are there, and normals; NaN where they are not.

    A family that does not factorise has a value as a whole or not at all, part by part of a product.
    """
    _, p = distribution(case, 40)
    x, noise = values(case, 40), draw(40, case.family.noise_size, seed=13)
    parts = case.family.parts if isinstance(case.family, Product) else (case.family,)
    there = []
    for i, part in enumerate(parts):
        width = part.dim if part.factorises else 1
        there.append((draw(40, width, seed=seed + i) > 0).expand(40, part.dim))
    present = torch.cat(there, -1)
    return p, x.masked_fill(~present, torch.nan), present, noise


@every_case
@torch.no_grad()
def test_a_sample_keeps_what_is_present(case):
    """The other entries are those of a draw from the same noise, and absent values are never read."""
    p, x, present, noise = kept_and_drawn(case)
    free, found = p.sample(noise), p.sample(noise, x, present)
    assert present.any() and not present.all()
    assert torch.equal(found, torch.where(present, x, free)) and found.isfinite().all()
    whole = values(case, 40)
    assert torch.equal(p.sample(noise, whole, torch.ones_like(present)), whole)
    assert torch.equal(p.sample(noise, whole, torch.zeros_like(present)), free)
    assert torch.equal(p.sample(noise, whole), whole)


@every_case
@torch.no_grad()
def test_a_sample_keeps_what_is_present_for_many_samples(case):
    """Values without an axis of samples are kept in every one of them."""
    p, x, present, _ = kept_and_drawn(case)
    noise = draw(3, 40, case.family.noise_size, seed=14)
    found = p.sample(noise, x, present)
    assert found.shape == (3, 40, case.family.dim)
    for one, normals in zip(found, noise, strict=True):
        torch.testing.assert_close(one, p.sample(normals, x, present))


@every_case
def test_a_kept_entry_has_no_gradient_into_the_distribution(case):
    if not all(case.family.continuous):
        pytest.skip("draws of classes have no gradient at all")
    raw = draw(40, case.family.size).requires_grad_()
    p, noise = case.family(raw), draw(40, case.family.noise_size, seed=13)
    x = values(case, 40).requires_grad_()
    present = (torch.arange(40) % 2 == 0)[:, None].expand(x.shape)
    p.sample(noise, x, present).sum().backward()
    assert not raw.grad[::2].any() and raw.grad[1::2].any()
    assert (x.grad[::2] == 1).all() and not x.grad[1::2].any()


@every_case
def test_distributions_satisfy_the_protocol(case):
    assert isinstance(case.family(draw(2, case.family.size)), Distribution)


@every_case
def test_sizes(case):
    family = case.family
    assert len(family.continuous) == family.dim
    assert family.size == sum(size for _, size, _ in case.parts)
    p = family(draw(family.size, dtype=torch.float32))
    x = p.sample(draw(2, family.noise_size, dtype=torch.float32))
    assert x.dtype == p.log_prob(x).dtype == p.mean.dtype == torch.float32


def test_values_without_mass():
    logits = torch.zeros(3, requires_grad=True)
    for family, x in (
        (Bernoulli(3), [0.5, 1.0, 0.0]),
        (Categorical(3), [3.0]),
        (Categorical(3), [-1.0]),
    ):
        value = family(logits).log_prob(torch.tensor(x))
        assert value == -torch.inf
        assert_finite(*torch.autograd.grad(value, logits))


def test_mean_of_categorical_is_the_most_probable_code():
    assert Categorical(3)(torch.tensor([[0.0, 3.0, 1.0], [0.0, 1.0, 2.0]])).mean.tolist() == [
        [1.0],
        [2.0],
    ]


def test_parts_of_a_product_draw_from_their_own_noise():
    case = CASES["product that factorises"]
    raw, p = distribution(case, 20)
    noise = draw(20, 4, seed=11)
    student, categorical, gaussian = case.family.parts
    expected = [
        student(raw[:, :3]).sample(noise[:, :2]),
        categorical(raw[:, 3:6]).sample(noise[:, 2:3]),
        gaussian(raw[:, 6:]).sample(noise[:, 3:]),
    ]
    assert torch.equal(p.sample(noise), torch.cat(expected, -1))


def test_half_step_of_log_gamma_in_single_precision():
    a = torch.logspace(0.01, 5, 500, dtype=torch.float64)
    expected = torch.from_numpy(
        scipy.special.gammaln(a.numpy() + 0.5) - scipy.special.gammaln(a.numpy())
    )
    torch.testing.assert_close(log_gamma_step(a), expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(log_gamma_step(a[a < 20]), expected[a < 20], rtol=0, atol=2e-11)
    torch.testing.assert_close(log_gamma_step(a.float()).double(), expected, rtol=0, atol=3e-6)


@pytest.mark.parametrize(
    ("emission", "expected"),
    [
        ("gaussian", True),
        ("full_gaussian", True),
        ("student_t", True),
        ("mixture(2)", False),
        ("gaussian:1+student_t:1", True),
        ("gaussian:1+bernoulli:1", False),
    ],
)
def test_families_say_whether_their_draws_are_differentiable(emission, expected):
    """Where they say so, the gradient of a mean over draws is that of the expectation, here E|x|^2."""
    family = (
        parse_emission(emission, 2).double() if "+" in emission else parse_emission(emission, 2)
    )
    assert family.reparameterised is expected
    if not expected:
        return
    raw = torch.full((family.size,), 0.7, dtype=torch.float64, requires_grad=True)
    noise = draw(200_000, family.noise_size)
    square = (
        family(raw).sample(noise).square().sum(-1).clamp(max=100.0)
    )  # heavy tails have no variance
    square.mean().backward()
    fresh = draw(200_000, family.noise_size, seed=1)
    with torch.no_grad():
        for i in range(family.size):
            step = torch.zeros_like(raw)
            step[i] = 0.05
            up, down = (
                family(raw + s).sample(fresh).square().sum(-1).clamp(max=100.0)
                for s in (step, -step)
            )
            difference = (up - down) / 0.1
            error = 4.5 * float(difference.std()) / math.sqrt(200_000)
            assert float(difference.mean()) == pytest.approx(
                float(raw.grad[i]), abs=2 * error + 1e-2
            )


@pytest.mark.parametrize(
    "make",
    [
        lambda: Gaussian(-1),
        lambda: FullGaussian(0),
        lambda: Mixture(2, 0),
        lambda: StudentT(0),
        lambda: Bernoulli(0),
        lambda: Nade(0, 3),
        lambda: Nade(3, 0),
        lambda: Categorical(1),
        lambda: Product(()),
    ],
)
def test_impossible_sizes_are_refused(make):
    with pytest.raises(ConfigError, match=r"expected at least|expected a width"):
        make()
