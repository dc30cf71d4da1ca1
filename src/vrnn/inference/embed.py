"""Everything of a batch that needs no recurrent state, computed for all time steps at once."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.errors import ConfigError
from vrnn.inference.plans import plan_of
from vrnn.inference.traits import evidence_of, looks_ahead, reads_prefix
from vrnn.models.contract import GlobalLatentModel, Model


class Embedded(NamedTuple):
    """What a model computes of a batch before the loop; see the contract for each.

    Attributes:
        inputs, features, evidence: (batch, time, .).
        context: what the model keeps of a prefix, (batch, .); of width 0 where it reads none.
    """

    inputs: Float[Tensor, "batch time inputs"]
    features: Float[Tensor, "batch time features"]
    evidence: Float[Tensor, "batch time evidence"]
    context: Float[Tensor, "batch context"]

    def steps(self, index: slice) -> "Embedded":
        """Return the features of some time steps."""
        return self._replace(
            inputs=self.inputs[:, index],
            features=self.features[:, index],
            evidence=self.evidence[:, index],
        )

    def after(self, start: int) -> "Embedded":
        """Return the features without the first `start` time steps."""
        return self.steps(slice(start, None))


def embed(model: Model, batch: Batch, prefix: Batch | None = None) -> Embedded:
    """Return the features of inputs and observations, the evidence, and the context of a prefix.

    Args:
        batch: what is scored.
        prefix: what is given before it, for a model that reads a prefix.

    Raises:
        ConfigError: no prefix for a model that reads one.
    """
    if reads_prefix(model) and prefix is None:
        raise ConfigError(
            "this model scores the future of a prefix: expected the prefix beside the batch, found none"
        )
    plan = plan_of(model)
    found = plan.embed(model, batch) if plan is not None and plan.embed is not None else None
    if found is not None:
        return found
    inputs = model.embed_inputs(batch.u)
    features = model.embed_observations(batch.x, inputs)
    evidence = evidence_of(model, batch, inputs, features)
    context = embed_prefix(model, batch if prefix is None else prefix)
    return Embedded(inputs, features, evidence, context)


def embed_prefix(model: Model, prefix: Batch) -> Float[Tensor, "batch context"]:
    """Return what a model keeps of a prefix; of width 0 where it reads none."""
    if not isinstance(model, GlobalLatentModel):
        return prefix.x.new_zeros(len(prefix.x), 0)
    return model.embed_prefix(prefix, model.embed_inputs(prefix.u))


def embed_online(model: Model, batch: Batch, prefix: Batch | None = None) -> Embedded:
    """Return features as `embed` does, with the evidence of each time step alone.

    No evidence looks ahead then: each step is embedded as a sequence of length one.
    """
    if not looks_ahead(model, batch.u.shape[-1]):
        return embed(model, batch, prefix)
    inputs = model.embed_inputs(batch.u)
    features = model.embed_observations(batch.x, inputs)
    count, time = batch.x.shape[:2]
    single = single_steps(batch)
    evidence = evidence_of(model, single, inputs.reshape(count * time, 1, -1))
    context = embed_prefix(model, batch if prefix is None else prefix)
    return Embedded(inputs, features, evidence.reshape(count, time, -1), context)


def single_steps(batch: Batch) -> Batch:
    """Return a batch in which every time step is a sequence of length one."""
    count, time = batch.x.shape[:2]
    timed = ("x", "present", "u", "y", "y_present")
    return batch._replace(
        **{name: getattr(batch, name).reshape(count * time, 1, -1) for name in timed},
        length=torch.ones(count * time, dtype=batch.length.dtype, device=batch.length.device),
        log_jacobian=batch.log_jacobian.repeat_interleave(time, 0),
    )
