"""The settings of sampled futures, which travel together through the tasks."""

from dataclasses import dataclass

from vrnn.errors import check_at_least, check_seed


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
        check_at_least(1, samples=self.samples, prefix_samples=self.prefix_samples)
