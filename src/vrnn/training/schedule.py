"""Numbers that change from step to step: the learning rate, the weight of the KL and free bits."""

import math

from vrnn.training.config import TrainConfig


def half_cosine(angle: float) -> float:
    """Return a factor that falls from 1 to a hundredth while the angle rises from 0 to pi.

    >>> [round(half_cosine(angle), 3) for angle in (0.0, math.pi / 2, math.pi)]
    [1.0, 0.505, 0.01]
    """
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(angle))


def learning_rate(config: TrainConfig, step: int) -> float:
    """Return the learning rate of a step: a linear rise, then a constant or a half cosine."""
    rise = min(1.0, (step + 1) / (config.warmup + 1))
    if config.schedule == "constant":
        return config.learning_rate * rise
    done = min(1.0, max(0.0, (step - config.warmup) / max(1, config.steps - config.warmup)))
    return config.learning_rate * rise * half_cosine(math.pi * done)


def kl_weight(config: TrainConfig, step: int | None) -> float:
    """Return the weight of the KL in a step, which rises to 1 over `kl_warmup` steps.

    Args:
        step: the step, from 0; None after the last one.
    """
    if step is None or not config.kl_warmup:
        return 1.0
    return min(1.0, (step + 1) / config.kl_warmup)


def free_bits(config: TrainConfig, step: int | None) -> float:
    """Return the free bits of a step, which fall to 0 over a fraction `free_bits_until` of them.

    Args:
        step: the step, from 0; None after the last one.
    """
    if step is None:
        return 0.0
    end = config.free_bits_until * config.steps
    return config.free_bits * max(0.0, 1 - step / end) if end else 0.0
