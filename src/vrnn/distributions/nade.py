"""Binary dimensions that depend on one another, each on those before it: the keys of a chord."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from vrnn.distributions.base import Family, fill_absent, keep_present
from vrnn.distributions.bernoulli import BernoulliDistribution
from vrnn.errors import ConfigError


class NadeDistribution(NamedTuple):
    """p(x) = prod_i p(x_i | x_{<i}) over x in {0, 1}^dim, with biases b and c, and W and V of the family.

    p(x_i = 1 | x_{<i}) = sigmoid(b_i + V_i h_i),   h_i = sigmoid(c + sum_{j<i} x_j W_j)

    >>> import torch
    >>> p = Nade(2, hidden=3)(torch.zeros(5))
    >>> pairs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> round(p.log_prob(pairs).exp().sum().item(), 5)
    1.0
    """

    bias: Float[Tensor, "*lead dim"]
    hidden_bias: Float[Tensor, "*lead hidden"]
    family: "Nade"

    @property
    def mean(self) -> Float[Tensor, "*lead dim"]:
        """Return an approximate probability of each 1: one pass in which x_j is its own probability.

        It is exact for the first dimension; the exact mean of the others has 2^i terms.
        """
        return self._pass(lambda logits, i: logits.sigmoid())

    @torch.no_grad()
    def sample(
        self,
        noise: Float[Tensor, "*#lead dim"],
        x: Float[Tensor, "*#lead dim"] | None = None,
        present: Bool[Tensor, "*#lead dim"] | None = None,
    ) -> Float[Tensor, "*#lead dim"]:
        """Return a draw made dimension by dimension, each 1 where Phi(noise) < p; no gradient.

        The two sides are compared as logarithms.
        """
        log_u = torch.special.log_ndtr(noise)
        draw = self._pass(
            lambda logits, i: (log_u[..., i] < nn.functional.logsigmoid(logits)).to(logits)
        )
        return keep_present(draw, x, present)

    def log_prob(
        self, x: Float[Tensor, "*#lead dim"], present: Bool[Tensor, "*#lead dim"] | None = None
    ) -> Float[Tensor, "*#lead"]:
        """Return the log-mass in nats.

        It is 0 for a value with any absent entry, and -inf for one with an entry neither 0 nor 1.
        """
        x = fill_absent(x, present)
        # h changes after a 1 alone: a row of k ones has k + 1 of them, and a chord few ones among many keys.
        ones = (x == 1).to(self.bias)
        before = (ones.cumsum(-1) - ones)[..., None, :]
        most = int(before.max()) if before.numel() else 0
        count = torch.arange(most + 1, device=x.device)[:, None]
        read = (ones[..., None, :] * (before < count)) @ self.family.W
        h = (self.hidden_bias[..., None, :] + read).sigmoid()
        logits = self.bias + (h @ self.family.V.T).where(before == count, 0.0).sum(-2)
        value = BernoulliDistribution(logits).log_prob(x)
        # The other dimensions of a row without mass must not teach anything either.
        value = value.masked_fill(value == -torch.inf, -torch.inf)
        return value if present is None else fill_absent(value, present.all(-1))

    def _pass(
        self, value: Callable[[Float[Tensor, "*lead"], int], Float[Tensor, "*#lead"]]
    ) -> Float[Tensor, "*#lead dim"]:
        """Return x_1 to x_dim, each made by `value` of its log-odds and its place."""
        a, x = self.hidden_bias, []
        for i, (b, w, v) in enumerate(
            zip(self.bias.unbind(-1), self.family.W, self.family.V, strict=True)
        ):
            x.append(value(b + a.sigmoid() @ v, i))
            a = a + x[-1][..., None] * w
        return torch.stack(x, -1)


class Nade(nn.Module, Family):
    """Binary dimensions of which each is read by those after it; outputs b (dim), then c (hidden).

    Use it for keys pressed together, pixels, or any columns of 0 and 1 that depend on one another.
    The weights W and V (dim, hidden) are the same for every state and trained with the model. Time
    and memory of `log_prob` grow with the largest number of ones in a value. A draw takes `dim`
    steps.

    Args:
        dim: width of an observation.
        hidden: width of h.

    Raises:
        ConfigError: no dimension or no hidden unit.

    Source: Larochelle and Murray 2011, The Neural Autoregressive Distribution Estimator. With biases
    from a recurrent state it is the RNN-NADE of Boulanger-Lewandowski et al. 2012, arXiv:1206.6392.

    >>> Nade(88, hidden=100), Nade(88, hidden=100).size
    (Nade(dim=88, hidden=100), 188)
    """

    factorises = False

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        if dim < 1 or hidden < 1:
            raise ConfigError(
                f"nade: expected at least 1 dimension and 1 hidden unit, found {dim} and {hidden}"
            )
        self.dim, self.hidden = dim, hidden
        self.W = nn.Parameter(torch.empty(dim, hidden).uniform_(-(dim**-0.5), dim**-0.5))
        self.V = nn.Parameter(torch.empty(dim, hidden).uniform_(-(hidden**-0.5), hidden**-0.5))

    @property
    def size(self) -> int:
        return self.dim + self.hidden

    @property
    def noise_size(self) -> int:
        return self.dim

    @property
    def continuous(self) -> tuple[bool, ...]:
        return (False,) * self.dim

    def counts(self) -> tuple[int, ...]:
        return (2,) * self.dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}, hidden={self.hidden}"

    def forward(self, raw: Float[Tensor, "*lead size"]) -> NadeDistribution:
        bias, hidden_bias = raw.split([self.dim, self.hidden], -1)
        return NadeDistribution(bias, hidden_bias, self)
