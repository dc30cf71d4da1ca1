"""The settings of training."""

import json
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from vrnn.data.transforms import TransformConfig
from vrnn.errors import ConfigError, Setting
from vrnn.models.settings import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ProperFraction,
    Range,
    check_settings,
)
from vrnn.stored import revive


@dataclass(frozen=True)
class AugmentConfig:
    """Changes of the training tracks.

    All changes but `rates` are drawn anew in every step. They change positions in the first two
    columns of x, or the keys of a piano roll.

    Args:
        flip: mirror each track with probability `prob`.
        rotate: turn each track by its own angle, uniform over the circle.
        speed: enlarge each track by its own factor, log-uniform between these two numbers.
            (1, 1) changes nothing.
        jitter: largest standard deviation of the noise added to the positions, in the units of
            the data. Each track has its own, jitter * u^2 with u uniform from 0 to 1. Use it for
            data that is less clean than the training data.
        rates: rows of a track per row of its copy, one number for each copy. (0.5, 1.0) trains on
            each track and on a copy at half its speed, with interpolated positions. Use it for
            data of another frame rate.
        transpose: largest shift of the columns, a whole number of columns. Each track moves by
            its own shift with probability `prob`. Columns must be binary and ordered by pitch.
        prob: probability that a track is mirrored, and that it is transposed.
        until: fraction of the steps that change tracks at random. The rest train on the data
            itself.
    """

    flip: bool = False
    rotate: bool = False
    speed: tuple[PositiveFloat, PositiveFloat] = (1.0, 1.0)
    jitter: NonNegativeFloat = 0.0
    rates: tuple[PositiveFloat, ...] = (1.0,)
    transpose: NonNegativeInt = 0
    prob: Fraction = 0.5
    until: Fraction = 1.0

    def __post_init__(self) -> None:
        check_settings(self, prefix="augment.")
        if self.speed[0] > self.speed[1]:
            raise ConfigError(
                setting="augment.speed", expected="the smaller factor first", found=self.speed
            )

    @property
    def turns(self) -> bool:
        """Whether positions are turned, mirrored or scaled."""
        return self.flip or self.rotate or self.speed != (1.0, 1.0)

    @property
    def moves(self) -> bool:
        """Whether positions are changed at random at all."""
        return self.turns or self.jitter > 0

    @property
    def resamples(self) -> bool:
        """Whether tracks are followed at other rates."""
        return any(rate != 1 for rate in self.rates)

    @property
    def active(self) -> bool:
        """Whether a step changes its tracks at random."""
        return self.moves or self.transpose > 0


@dataclass(frozen=True)
class TrainConfig:
    """The settings of training.

    Args:
        steps: number of optimiser steps.
        batch_size: sequences in a step, over all processes.
        learning_rate: peak learning rate of Adam.
        schedule: constant keeps the learning rate. cosine lowers it to a hundredth of its peak.
        warmup: steps over which the learning rate rises from 0 to its peak.
        weight_decay: decoupled weight decay, as in AdamW.
        ema_decay: decay of the exponential moving average of the weights, for example 0.999.
            The average is validated and kept in place of the last weights. 0 switches it off.
        grad_clip: largest norm of the gradient. A longer gradient is scaled down to it.
        kl_warmup: steps over which the weight of the KL rises from 0 to 1.
        free_bits: nats per latent dimension and time step. A smaller KL is not reduced further. They
            keep Gaussian latents from becoming idle early in training.
        free_bits_until: fraction of the steps over which free bits fall to 0, so that the bound
            itself is maximised in the end.
        regulariser_weight: weight of the KL to N(0, I) in models whose posterior is their prior.
            The bound does not contain it.
        objective: the bound that is maximised. iwae uses K = `samples` importance-weighted draws.
            fivo uses a particle filter of N = `samples` particles.
        samples: latent samples per sequence, the K of iwae and the N of fivo. The elbo takes
            their mean.
        resample_below: for fivo, resample when the effective sample size falls below this
            fraction of N.
        resampling_term: for fivo, add the gradient through the choice of particles. It removes a
            bias and has a high variance.
        energy_weight: weight of the energy score of futures that the model draws by itself. It
            makes long forecasts better and the likelihood worse. Futures begin after `observe`
            rows, or anywhere if that is None. Only continuous columns are scored. 0 leaves the
            score out.
        energy_rows: largest number of rows in such a future.
        energy_samples: such futures drawn for each sequence.
        energy_from: fraction of the steps after which such futures are drawn. A model that has
            learned nothing yet gains little from them.
        chunk: time steps processed at once, for sequences too long for memory. Gradients stay the
            same and a step takes about a third longer. None processes all time steps at once.
        truncate: stop gradients between chunks (truncated back-propagation). States still pass
            from chunk to chunk.
        window: rows of the windows that tracks are cut into. None keeps tracks whole.
        observe: rows known before the future begins. A forecasting RolloutVAE reads them as its
            prefix. A heading transform reads the heading from them. Futures of `energy_weight`
            begin after them. Other models do not need it.
        transform: coordinates that the model works in.
        augment: random changes of the training tracks.
        time_input: give the model the time between rows, for irregular sampling.
        position_input: give the model the position before each increment, where the place on the
            map matters.
        holdout: fraction of the tracks held out for validation when none are given.
        validate_every: steps from one validation to the next.
        patience: validations without improvement after which training stops. None never stops
            early, but after 5 where training starts from a shipped model.
        log_every: steps from one line of metrics.jsonl to the next.
        seed: seed of the weights, the order of the data and all noise.
    """

    steps: PositiveInt = 2000
    batch_size: PositiveInt = 64
    learning_rate: PositiveFloat = 1e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup: NonNegativeInt = 100
    weight_decay: NonNegativeFloat = 0.0
    ema_decay: ProperFraction = 0.0
    grad_clip: PositiveFloat = 1.0
    kl_warmup: NonNegativeInt = 0
    free_bits: NonNegativeFloat = 0.0
    free_bits_until: Fraction = 0.8
    regulariser_weight: NonNegativeFloat = 1e-3
    objective: Literal["elbo", "iwae", "fivo"] = "elbo"
    samples: PositiveInt = 1
    resample_below: Fraction = 0.5
    resampling_term: bool = False
    energy_weight: NonNegativeFloat = 0.0
    energy_rows: PositiveInt = 20
    energy_samples: Annotated[int, Range(at_least=2)] = 8
    energy_from: ProperFraction = 0.5
    chunk: PositiveInt | None = None
    truncate: bool = False
    window: Annotated[int, Range(at_least=2)] | None = None
    observe: PositiveInt | None = None
    transform: TransformConfig = field(default_factory=TransformConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    time_input: bool = False
    position_input: bool = False
    holdout: ProperFraction = 0.1
    validate_every: PositiveInt = 200
    patience: PositiveInt | None = None
    log_every: PositiveInt = 20
    seed: NonNegativeInt = 0

    @property
    def first_future(self) -> int:
        """The first step that draws futures, or `steps` where none does."""
        return int(self.energy_from * self.steps) if self.energy_weight else self.steps

    def __post_init__(self) -> None:
        check_settings(self)
        self._check_objective()
        self._check_cuts()

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as config.json holds them."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """Return the config that `to_dict` turned into a dict.

        Raises:
            ConfigError: an unknown setting, or a value of another type.
        """
        return revive(cls, values, "training")

    def _check_objective(self) -> None:
        """Refuse settings that belong to another objective."""
        if self.objective != "elbo" and self.samples < 2:
            raise ConfigError(
                setting="samples",
                expected=("at least 2 for ", Setting("objective", self.objective)),
                found=self.samples,
                cause="with one sample it is the elbo",
            )
        if self.objective != "elbo" and self.free_bits:
            raise ConfigError(
                setting="free_bits",
                expected=("0 for ", Setting("objective", self.objective)),
                found=self.free_bits,
                cause="only the elbo has a KL that they change",
            )
        if self.resampling_term and self.objective != "fivo":
            raise ConfigError(
                setting="resampling_term",
                expected=Setting("objective", "fivo"),
                found=self.objective,
                cause="only fivo resamples",
            )

    def _check_cuts(self) -> None:
        """Refuse windows, prefixes and chunks that do not fit together."""
        if self.truncate and self.chunk is None:
            raise ConfigError(
                setting="truncate",
                expected="a chunk",
                found=None,
                hint=("set ", Setting("chunk"), " to a number of rows"),
            )
        if self.chunk is not None and (self.objective != "elbo" or self.energy_weight):
            name = "energy_weight" if self.energy_weight else "objective"
            raise ConfigError(
                setting="chunk",
                expected="the elbo alone",
                found=Setting(name, getattr(self, name)),
                cause="only the elbo is a sum over chunks",
            )
        if self.observe is not None and self.window is not None and self.observe >= self.window:
            raise ConfigError(
                setting="observe",
                expected=f"less than the window of {self.window}",
                found=self.observe,
            )
