"""Weights drawn from a generator of their own, in place of the one that all of torch shares."""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

DRAWS = {
    *("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"),
    *("uniform_", "normal_", "trunc_normal_", "bernoulli_", "exponential_", "random_"),
    *("kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_"),
    *("orthogonal_", "sparse_"),
}
"""Names of the functions of torch and `torch.nn.init` that draw and take a generator."""


class drawing_from(TorchFunctionMode):  # noqa: N801 (used as a function)
    """Let layers that are made in a `with` block draw their weights from one generator.

    `torch.nn` draws from the generator that all threads share. Seeding that one would change what
    others draw, and others would change the weights. The block holds for its own thread, and leaves
    the shared generator as it is. The weights are those that the shared one would give under the same
    seed.

    Args:
        generator: on the CPU.

    >>> made = []
    >>> for _ in range(2):
    ...     with drawing_from(torch.Generator().manual_seed(0)):
    ...         made.append(torch.nn.Linear(2, 3).weight)
    >>> torch.equal(*made)
    True
    """

    def __init__(self, generator: torch.Generator):
        super().__init__()
        self.generator = generator

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if getattr(func, "__name__", "") in DRAWS and kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
        return func(*args, **kwargs)
