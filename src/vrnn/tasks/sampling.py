"""The settings of sampled futures, which travel together through the tasks."""

from dataclasses import dataclass

from vrnn.errors import ConfigError, check_seed


@dataclass(frozen=True)
class SamplingConfig:
    """The settings of sampled futures; see `vrnn.forecast` for each of them."""

    samples: int = 20
    seed: int = 0
    qmc: bool = False
    prefix_samples: int | None = None
    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        for name in ("samples", "prefix_samples"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"expected {name} of at least 1, found {value}")
