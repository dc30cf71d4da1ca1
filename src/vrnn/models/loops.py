"""Recurrences over all steps that wait for nothing else of a model: the plain forms, which compiled ones are held against."""

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vrnn.distributions import DiagonalGaussian, positive
from vrnn.models.layers import GRUCell, LSTMCell


class Feedback(NamedTuple):
    """Hold what the output h of a cell adds to its next input, W relu(U h + b), at every step but the first.

    Attributes:
        of_output, output_bias: U and b.
        to_gates: W.
    """

    of_output: Float[Tensor, "layer hidden"]
    output_bias: Float[Tensor, " layer"]
    to_gates: Float[Tensor, "gates layer"]


def run_carry(
    cell: GRUCell | LSTMCell,
    projected: Float[Tensor, "*lead time gates"],
    carry: Float[Tensor, "*#lead carry"],
    feedback: Feedback | None = None,
) -> Float[Tensor, "*lead time carry"]:
    """Run a cell and give its carries, with 0 for an LSTM's memory, which no output reads."""
    lead = projected.shape[:-2]
    if not projected.shape[-2]:
        return projected.new_zeros(*lead, 0, cell.carry_dim)
    carry = carry.expand(*lead, -1)
    if feedback is None:
        h = cell.run(projected.flatten(0, -3), carry.flatten(0, -2)).unflatten(0, lead)
    else:
        of_output, bias, to_gates = feedback
        outputs: list[Tensor] = []
        for gates in projected.unbind(-2):
            if outputs:
                layer = torch.relu(nn.functional.linear(outputs[-1], of_output, bias))
                gates = gates + nn.functional.linear(layer, to_gates)
            carry = cell.step(gates, carry)
            outputs.append(cell.output(carry))
        h = torch.stack(outputs, -2)
    return (
        nn.functional.pad(h, (0, cell.carry_dim - cell.hidden))
        if cell.carry_dim > cell.hidden
        else h
    )


class Chain(NamedTuple):
    """Hold a latent that waits for the one before it through one hidden layer, and for nothing else.

    a_t = g(W z_{t-1} + inside_t),   (mean, raw) = V a_t + outside_t,   z_t ~ N(mean, floor + softplus(raw))

    Without a raw scale, when V has as many rows as z has dimensions, z_t is the mean.

    Attributes:
        squash: g.
        of_latent, out: W and V.
        inside, outside: what is added; steps and leading axes are broadcast.
    """

    squash: Literal["relu", "tanh"]
    of_latent: Float[Tensor, "hidden latent"]
    inside: Float[Tensor, "*#lead #time hidden"]
    out: Float[Tensor, "outputs hidden"]
    outside: Float[Tensor, "*#lead #time outputs"]


class Chained(NamedTuple):
    """Record a run of a chain.

    Attributes:
        z: the latents from the first, which is given, to the last.
        law: what all but the first were drawn from; of a chain without a scale, of width 0.
    """

    z: Float[Tensor, "*lead steps latent"]
    law: DiagonalGaussian


def follow_chain(
    chain: Chain, start: Float[Tensor, "*lead latent"], normals: Float[Tensor, "*lead time drawn"]
) -> Chained:
    """Draw the latents of a chain, one after the other; of one without a scale the normals have width 0."""
    squash = {"relu": torch.relu, "tanh": torch.tanh}[chain.squash]
    assert normals.shape[-2], "a chain of no steps has no law"
    time, width = normals.shape[-2], start.shape[-1]
    steps = [
        part.expand(*part.shape[:-2], time, -1).unbind(-2) for part in (chain.inside, chain.outside)
    ]
    z, laws = [start], []
    for inside, outside, noise in zip(*steps, normals.unbind(-2), strict=True):
        a = squash(nn.functional.linear(z[-1], chain.of_latent) + inside)
        mean, raw = (nn.functional.linear(a, chain.out) + outside).tensor_split([width], -1)
        if noise.shape[-1]:
            laws.append(DiagonalGaussian(mean, positive(raw)))
            z.append(laws[-1].sample(noise))
        else:
            laws.append(DiagonalGaussian(raw, raw))
            z.append(mean)
    return Chained(
        torch.stack(z, -2), DiagonalGaussian(*(torch.stack(p, -2) for p in zip(*laws, strict=True)))
    )


class RunCell(Protocol):
    """Runs a cell as `run_carry` does."""

    def __call__(
        self,
        cell: GRUCell | LSTMCell,
        projected: Tensor,
        carry: Tensor,
        feedback: Feedback | None = None,
    ) -> Tensor: ...


class Loops(NamedTuple):
    """Hold what runs a recurrence over all steps: in PyTorch (`PLAIN`) or compiled (`vrnn.kernels.apart`).

    Attributes:
        cell: a cell over projected inputs, as `run_carry`.
        chain: a latent that waits for the one before it, as `follow_chain`.
        read: a recurrent network over whole sequences, as `read_rows`.
    """

    cell: RunCell
    chain: Callable[[Chain, Tensor, Tensor], Chained]
    read: Callable[[nn.GRU | nn.LSTM, Tensor], Tensor]


def read_rows(
    network: nn.GRU | nn.LSTM, x: Float[Tensor, "batch time inputs"]
) -> Float[Tensor, "batch time hidden"]:
    """Give the output of a recurrent network at every row."""
    return network(x)[0]


PLAIN = Loops(run_carry, follow_chain, read_rows)
