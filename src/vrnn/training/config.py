"""The settings of training."""

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from vrnn.data.transforms import TransformConfig
from vrnn.errors import ConfigError, check_seed


@dataclass(frozen=True)
class AugmentConfig:
    """Change the training tracks: at random in every step, positions in the first two columns of x or the keys of a piano roll; by copies
    at other rates, once and for all.

    Args:
        flip: mirror a share of the tracks.
        rotate: turn each track by its own angle, uniform over the circle.
        speed: enlarge each track by its own factor, log-uniform between these two; (1, 1) leaves it.
        jitter: add noise to the positions, independent from row to row, with a standard deviation of each track's own, u^2 times this in
            the units of the data, u uniform from 0 to 1: most tracks get little, some as much as a careless annotator makes. For data
            that is less clean than that of the training.
        rates: how fast copies of the tracks go along them, in rows, positions between rows being interpolated: with (0.5, 1.0) every
            track is there a second time, at half its rate. For data of another frame rate than that of the training.
        transpose: shift the columns of a share of the tracks, each by its own whole number, uniform from -transpose to
            transpose; for binary columns in order of pitch.
        share: of the tracks that are mirrored, and of those that are transposed.
        until: share of the steps after which nothing is changed at random any more, for a last stretch on the data itself.
    """

    flip: bool = False
    rotate: bool = False
    speed: tuple[float, float] = (1.0, 1.0)
    jitter: float = 0.0
    rates: tuple[float, ...] = (1.0,)
    transpose: int = 0
    share: float = 0.5
    until: float = 1.0

    def __post_init__(self) -> None:
        for name in ("transpose", "jitter"):
            if not getattr(self, name) >= 0:
                raise ConfigError(
                    f"expected augment.{name} of at least 0, found {getattr(self, name)}"
                )
        for name in ("share", "until"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(
                    f"expected augment.{name} from 0 to 1, found {getattr(self, name)}"
                )
        if not self.rates or not all(rate > 0 for rate in self.rates):
            raise ConfigError(f"expected augment.rates as positive factors, found {self.rates}")
        low, high = self.speed
        if not 0 < low <= high:
            raise ConfigError(
                f"expected augment.speed as two rising positive factors, found {self.speed}"
            )

    @property
    def turns(self) -> bool:
        """Whether positions are turned or scaled."""
        return self.flip or self.rotate or self.speed != (1.0, 1.0)

    @property
    def moves(self) -> bool:
        """Whether positions are changed at random at all."""
        return self.turns or self.jitter > 0

    @property
    def resamples(self) -> bool:
        """Whether tracks are gone along at other rates."""
        return any(rate != 1 for rate in self.rates)

    @property
    def active(self) -> bool:
        """Whether a step changes its tracks at random."""
        return self.moves or self.transpose > 0


@dataclass(frozen=True)
class TrainConfig:
    """Configure training.

    Args:
        steps: optimiser steps.
        batch_size: sequences a step, over all processes.
        learning_rate: peak rate of Adam.
        schedule: constant, or cosine down to a hundredth of the peak.
        warmup: steps over which the rate rises from 0.
        weight_decay: decoupled weight decay.
        average: decay of the moving average of the weights, which is validated and kept in their place, such as 0.999; 0 for
            none.
        clip: largest norm of the gradient, applied before the step.
        kl_warmup: steps over which the weight of the KL rises from 0 to 1.
        free_bits: nats a latent dimension and step below which its KL is not pushed down.
        regulariser_weight: weight of the KL to N(0, I) in models whose posterior is their prior; no part of their bound.
        objective: the bound that is maximised: elbo, iwae (importance-weighted, K = samples) or fivo (a particle filter of
            N = samples particles).
        samples: latent samples a sequence, the K or N of the bound; of the ELBO their mean is taken.
        resample_below: of fivo, the effective sample size, as a share of N, under which particles are resampled.
        resampling_term: of fivo, add the gradient through the choice of particles, unbiased and of high variance.
        energy_weight: weight of the energy score of futures that the model draws alone, beside the bound; 0 leaves it out. It makes
            forecasts of many steps better and the likelihood worse. They begin at `observe`, and where that is None anywhere. Continuous
            columns are scored; columns of kinds are drawn with them.
        energy_rows: rows of such a future, at most.
        energy_samples: such futures of a sequence.
        energy_from: share of the steps after which they are drawn: a score teaches a model little that has learned nothing yet.
        kernel: of elbo and iwae, the form of the loop over time: auto, the fastest that fits; plain, the one in PyTorch; native, the
            one in C++, or an error where there is none.
        chunk: rows that are gone through at a time, for sequences too long for memory: gradients are the same, a step takes a third longer
            and memory grows with the chunk in place of the length; None goes through all of them at once.
        truncate: stop gradients between chunks (truncated back-propagation); states are carried on all the same.
        window: rows of the pieces that tracks are cut into; whole tracks when None.
        observe: points known before the future begins: the prefix of a forecasting RolloutVAE, the row of a heading transform, and where
            scored futures begin (`energy_weight`); not needed by others.
        transform: coordinates the model works in.
        augment: random changes of the training tracks.
        time_input: make the time between rows an input, for irregular sampling.
        position_input: make the position that each increment leads on from an input, for maps where the place matters.
        holdout: share of the tracks held out for validation when none are given.
        validate_every: steps from one validation to the next.
        patience: validations without improvement after which training stops; None never stops early.
        log_every: steps from one line of metrics.jsonl to the next.
        seed: of the weights, the order of the data and all noise.
    """

    steps: int = 2000
    batch_size: int = 64
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup: int = 100
    weight_decay: float = 0.0
    average: float = 0.0
    clip: float = 1.0
    kl_warmup: int = 0
    free_bits: float = 0.0
    regulariser_weight: float = 1e-3
    objective: Literal["elbo", "iwae", "fivo"] = "elbo"
    samples: int = 1
    resample_below: float = 0.5
    resampling_term: bool = False
    energy_weight: float = 0.0
    energy_rows: int = 20
    energy_samples: int = 8
    energy_from: float = 0.5
    kernel: Literal["auto", "plain", "native"] = "auto"
    chunk: int | None = None
    truncate: bool = False
    window: int | None = None
    observe: int | None = None
    transform: TransformConfig = field(default_factory=TransformConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    time_input: bool = False
    position_input: bool = False
    holdout: float = 0.1
    validate_every: int = 200
    patience: int | None = None
    log_every: int = 20
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as config.json holds them."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """Return the settings that `to_dict` made a dict of.

        Raises:
            ConfigError: an unknown setting.
        """
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ConfigError(f"unknown training settings: {', '.join(sorted(unknown))}")
        parts: dict[str, type] = {"transform": TransformConfig, "augment": AugmentConfig}
        revived = {
            name: part(
                **{k: tuple(v) if isinstance(v, list) else v for k, v in values[name].items()}
            )
            for name, part in parts.items()
        }
        return cls(**{**values, **revived})

    @property
    def first_future(self) -> int:
        """The step that futures are first drawn at; that after the last where they never are."""
        return int(self.energy_from * self.steps) if self.energy_weight else self.steps

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "batch_size",
            "learning_rate",
            "clip",
            "samples",
            "validate_every",
            "log_every",
            "energy_rows",
        ):
            if not getattr(self, name) > 0:
                raise ConfigError(f"expected {name} above 0, found {getattr(self, name)}")
        for name in (
            "warmup",
            "weight_decay",
            "kl_warmup",
            "free_bits",
            "regulariser_weight",
            "energy_weight",
        ):
            if getattr(self, name) < 0:
                raise ConfigError(f"expected {name} of at least 0, found {getattr(self, name)}")
        for name in ("average", "holdout", "energy_from"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"expected {name} from 0 up to 1, found {getattr(self, name)}")
        for name, known in (
            ("schedule", ("constant", "cosine")),
            ("objective", ("elbo", "iwae", "fivo")),
            ("kernel", ("auto", "plain", "native")),
        ):
            if getattr(self, name) not in known:
                *most, last = known
                expected = f"{', '.join(most)} or {last}"
                raise ConfigError(f"{name}: expected {expected}, found {getattr(self, name)!r}")
        check_seed(self.seed)
        self._check_objective()
        self._check_cuts()

    def _check_objective(self) -> None:
        """Check what the objectives ask for and what they do not go with."""
        if self.kernel != "auto" and self.objective == "fivo":
            raise ConfigError(
                "kernel belongs to elbo and iwae, found objective 'fivo'; leave it auto"
            )
        if self.objective != "elbo" and self.samples < 2:
            raise ConfigError(
                f"{self.objective} is a bound by several samples: expected samples of at least 2, found {self.samples}; "
                f"with one it is the elbo"
            )
        if self.objective != "elbo" and self.free_bits:
            raise ConfigError(
                f"free_bits change the KL of the elbo, which {self.objective} does not have; leave them 0"
            )
        if self.resampling_term and self.objective != "fivo":
            raise ConfigError(
                f"resampling_term belongs to fivo, found objective {self.objective!r}"
            )
        if not 0 <= self.resample_below <= 1:
            raise ConfigError(f"expected resample_below from 0 to 1, found {self.resample_below}")
        if self.energy_samples < 2:
            raise ConfigError(
                f"a score of futures needs energy_samples of at least 2, found {self.energy_samples}"
            )

    def _check_cuts(self) -> None:
        """Check how tracks are cut: into windows, prefixes and chunks."""
        if self.chunk is not None and self.chunk < 1:
            raise ConfigError(f"expected a chunk of at least 1 row, found {self.chunk}")
        if self.truncate and self.chunk is None:
            raise ConfigError("truncate stops gradients between chunks: set chunk to their rows")
        if self.chunk is not None and (self.objective != "elbo" or self.energy_weight):
            what = "futures" if self.energy_weight else f"objective {self.objective!r}"
            raise ConfigError(
                f"chunk goes through a sequence part by part, which the elbo alone allows; found {what}"
            )
        if self.window is not None and self.window < 2:
            raise ConfigError(f"expected a window of at least 2 rows, found {self.window}")
        if self.observe is not None and (
            self.observe < 1 or self.observe >= (self.window or self.observe + 1)
        ):
            raise ConfigError(
                f"expected observe of at least 1 and less than the window of {self.window}, found {self.observe}"
            )
