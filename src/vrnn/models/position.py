"""A model that knows where it is: its position, the sum of its own increments, is an input."""

from jaxtyping import Float
from torch import Tensor

from vrnn.data.batch import Batch
from vrnn.models.contract import Features, Model, State, join
from vrnn.models.wrapper import Wrapper


class PositionConditioned(Wrapper):
    """A model of increments that reads the position which each increment starts from.

    m_0 = 0,   m_t = m_{t-1} + x_t + drift,   position_t = start + factor m_{t-1}

    It is for maps where the place matters: currents, streets, latitudes. The inner model models
    increments and reads the position beside its own inputs. m is part of the state, so what a
    model draws itself moves it on: in forecasts, in gaps, for every particle on its own. The inputs
    u are those of the inner model without the position, then start and factor of each column,
    constant along a track (`Preprocessor.inputs`). What is computed before the loop reads the start
    in place of the position.

    Args:
        inner: a model whose last inputs are the position.
        columns: the increments among the columns of x.
        drift: what each increment has been centred by, in model units, (columns,).
    """

    def __init__(self, inner: Model, columns: tuple[int, ...], drift: Float[Tensor, " columns"]):
        super().__init__(inner, ("moved",))
        self.columns = list(columns)
        self.register_buffer("drift", drift, persistent=False)

    def embed_observations(self, x: Float[Tensor, "*lead dim"], inputs: Features) -> Features:
        features = self.inner.embed_observations(x, self._at_start(inputs))
        return join(features, x[..., self.columns] + self.drift)

    def embed_evidence(self, batch: Batch, inputs: Features) -> Features:
        at_start = self._at_start(inputs)
        evidence = self.inner.embed_evidence(batch, at_start)
        return self.inner.embed_observations(batch.x, at_start) if evidence is None else evidence

    def initial_state(self) -> State:
        inner = self.inner.initial_state()
        return self.around(inner, inner[0].new_zeros(len(self.columns)))

    def with_input(self, state: State, inputs: Features) -> State:
        here = self.inner.embed_inputs(self.known(inputs, state.moved))
        return self.around(self.inner.with_input(self.inside(state), here), state.moved)

    def with_observation(self, state: State, features: Features) -> State:
        count = len(self.columns)
        after = self.inner.with_observation(self.inside(state), features[..., :-count])
        return self.around(after, state.moved + features[..., -count:])

    def known(self, inputs: Features, moved: Float[Tensor, "*#lead columns"]) -> Features:
        """Return the inputs of the inner model, whose last are the position after such a way."""
        count = len(self.columns)
        own, start, factor = inputs.split([inputs.shape[-1] - 2 * count, count, count], -1)
        return join(own, start + factor * moved)

    def _at_start(self, inputs: Features) -> Features:
        """Return the inner model's input features with the start in place of the position."""
        return self.inner.embed_inputs(inputs[..., : -len(self.columns)])
